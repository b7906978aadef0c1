"""run.py TEST FOLDER: one test of the page in real browsers.

FOLDER is empty and ours; a test that fails leaves screenshots there. The tests
are the functions test_NAME of the files beside this one; tests/web.bats says in
its names what each is about.
"""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import connection  # noqa: E402
import seen  # noqa: E402
import talking  # noqa: E402
from place import Place  # noqa: E402


def main():
    name, folder = sys.argv[1:]
    test = next(getattr(part, "test_" + name) for part in
                (talking, connection, seen) if hasattr(part, "test_" + name))
    # Told to end, it leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda *ignored: sys.exit(1))
    place = Place(folder)
    try:
        test(place)
    except BaseException:
        for number, browser in enumerate(place.browsers):
            browser.shot("%s/failed-%d.png" % (folder, number))
            print("console:", browser.errors())
        raise
    finally:
        place.end()


if __name__ == "__main__":
    main()
