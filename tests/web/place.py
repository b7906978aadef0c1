"""What each test of the page has: a host, rooms in it, and browsers."""
import urllib.error
import urllib.request

from browser import Browser
from host import Host

PHONE, DESKTOP = (360, 740), (1280, 800)


class Place:
    """A host and the browsers that visit it; all of it ends with the test."""

    def __init__(self, folder):
        self.folder = folder
        self.browsers = []
        self.host = Host(folder)

    def browser(self, **options):
        browser = Browser(**options)
        self.browsers.append(browser)
        return browser

    def visit(self, path, **options):
        browser = self.browser(**options)
        browser.get(self.host.url(path))
        return browser

    def room(self, subject="A room", messages=0):
        """A new room's id, with that many numbered messages in it."""
        request = urllib.request.Request(self.host.url(
            "/chat_create?listed=1&subject=" + subject.replace(" ", "%20")))
        try:
            opener = urllib.request.build_opener(NoRedirect)
            opener.open(request, timeout=20)
        except urllib.error.HTTPError as answer:
            assert answer.code == 302, answer.code
            room = answer.headers["Location"].rsplit("/", 1)[1]
        for number in range(1, messages + 1):
            self.post(room, "message %d" % number)
        return room

    def post(self, room, text, name=None, **more):
        """Say it as a guest would, without a browser; its number."""
        headers = {"Content-Type": "text/plain; charset=utf-8",
                   "Cookie": "hchat=abcdefabcdef; name=%s" % (name or "mara"),
                   **more}
        request = urllib.request.Request(self.host.url("/send/" + room),
                                         text.encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.headers["Chat-Message"])

    def end(self):
        for browser in self.browsers:
            browser.quit()
        self.host.end()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *ignored):
        return None


def same(got, wanted, what=""):
    assert got == wanted, "%s: %r, not %r" % (what, got, wanted)


def numbered(count, word="message"):
    return ["%s %d" % (word, number) for number in range(1, count + 1)]
