"""One thread for each of the libraries behind numpy, OpenCV and FAISS.

Cores are shared out by processes: web workers, queue workers, the limited children. A library's own pool only takes from
them, does not survive a fork, and waits by spinning: on two cores a query cost 1.5 times the processor time with it.
"""

import cv2
from threadpoolctl import threadpool_limits


def use_one_thread() -> None:
    """Limit what is loaded so far; a module that loads another such library calls it again."""
    cv2.setNumThreads(1)
    threadpool_limits(limits=1)
