"""`python -m phi_kit` is `phi-kit`."""

from phi_kit.cli import main

if __name__ == "__main__":
    main()
