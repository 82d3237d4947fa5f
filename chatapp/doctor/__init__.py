"""`flask doctor`: what is wrong with this installation, why it matters, and what to do about it.

One module for each thing that is looked at; each gives its findings. Nothing here changes anything, nor makes
a file that is not there yet: an installation that cannot start is examined as well.
"""

from chatapp.doctor.examination import Examination, examine
from chatapp.doctor.finding import Finding

__all__ = ["Examination", "Finding", "examine"]
