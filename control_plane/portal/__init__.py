"""The portal: the pages that viewers see."""
