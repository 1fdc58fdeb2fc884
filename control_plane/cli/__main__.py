"""`python -m control_plane.cli` is `streamgate`, also where no command was installed."""

from control_plane.cli import main

if __name__ == "__main__":
    main()
