"""Operations: the home folder, nginx's configuration, the processes of `up`, backups, the doctor and the demo."""
