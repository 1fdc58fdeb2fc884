"""Run `streamgate` as `python -m control_plane.cli`, for installations without the script."""

from control_plane.cli import main

if __name__ == "__main__":
    main()
