"""What every part of the package needs: one way to do each."""
