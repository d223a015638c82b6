"""`python -m emo3d.cli`, which `accelerate launch -m emo3d.cli` runs in every process."""

from emo3d.cli import main

if __name__ == "__main__":
    main()
