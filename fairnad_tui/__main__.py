"""``python -m fairnad_tui``."""

from fairnad_tui.cli import main

if __name__ == "__main__":
    main()
