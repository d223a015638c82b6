"""`python -m emo3d`, and so `accelerate launch -m emo3d`."""

from emo3d.cli import main

if __name__ == "__main__":
    main()
