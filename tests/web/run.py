"""run.py TEST FOLDER: one test of the page in real browsers.

FOLDER is empty and ours. The tests are the functions test_NAME below;
tests/web.bats says in its names what each is about.
"""
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser, Keys  # noqa: E402
from host import BUILD, Host  # noqa: E402

PHONE, DESKTOP = (360, 740), (1280, 800)
TEXT = "#list .text"


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

    def post(self, room, text, name=None):
        """Say it as a guest would, without a browser."""
        headers = {"Content-Type": "text/plain; charset=utf-8",
                   "Cookie": "hchat=abcdefabcdef; name=%s" % (name or "mara")}
        request = urllib.request.Request(self.host.url("/send/" + room),
                                         text.encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.headers["Chat-Message"])

    def account(self, name, password):
        self.host.parlance("user", "add", name, text=password + "\n")

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


# --- talking -----------------------------------------------------------------


def test_talk(place):
    """From the index page to a conversation of two."""
    anna, bert = place.visit("/"), place.browser()
    anna.find("#subject").send_keys("Garden <b>plans</b> & more", Keys.ENTER)
    anna.wait("the room", lambda: anna.find("#message").is_displayed())
    same(anna.find("h1").text, "Garden <b>plans</b> & more", "subject")
    same(anna.find("#before .big").text, "Nobody has said anything yet.")
    bert.get(anna.driver.current_url)
    anna.take_name("anna")
    anna.say("hello")
    bert.wait_for("hello")
    bert.say("good evening")
    anna.wait_for("good evening")
    same(anna.texts(), ["hello", "good evening"], "anna")
    same(bert.texts(), ["hello", "good evening"], "bert")
    same(anna.texts("#list .own .text"), ["hello"], "anna's own")
    same(bert.texts("#list .own .text"), ["good evening"], "bert's own")
    same(bert.texts("#list .author"), ["anna", "guest"], "authors")
    same(anna.texts("#pending .text"), [], "pending")
    # A name change applies to what is said from then on.
    anna.take_name("Ännchen")
    anna.say("it is me")
    bert.wait_for("it is me")
    same(bert.texts("#list .author"), ["anna", "guest", "Ännchen"])
    same(bert.texts("#list .guest"), ["guest", "guest"], "marks")
    anna.driver.refresh()
    anna.wait_for("it is me")
    same(anna.texts("#list .own .text"), ["hello", "it is me"], "reloaded")
    same(anna.run("return document.getElementById('name').value"), "Ännchen")
    same(anna.errors() + bert.errors(), [], "console")


def test_names(place):
    """Refused names are told; an account signs in and out."""
    place.account("alice", "open sesame")
    room = place.room()
    anna = place.visit("/chat/" + room)
    told = lambda: anna.find("#name-told").text  # noqa: E731
    anna.take_name("no spaces")
    same(told(), "Letters, digits and _ only, 30 at most.")
    anna.take_name("Server")
    same(told(), "That name is reserved.")
    anna.take_name("Alice")
    anna.say("is that me?")
    anna.wait_for("is that me?", "#pending [data-state=failed] .text")
    anna.wait("a word on the name", lambda: "belongs to an account" in told())
    anna.take_name("alina")
    anna.find("#pending button").click()
    anna.wait_for("is that me?")
    same(anna.texts("#list .author"), ["alina"])
    # Wrong password, then the right one, and back in the room.
    anna.find("a.signed-out").click()
    for password in ("wrong", "open sesame"):
        anna.wait("the form", lambda: anna.all("#password"))
        anna.find("#name").clear()
        anna.find("#name").send_keys("alice")
        anna.find("#password").send_keys(password, Keys.ENTER)
        if password == "wrong":
            anna.wait("a word", lambda: anna.find(".error").text)
    anna.wait("the room", lambda: anna.all("#composer"))
    same(anna.find(".speaker b").text, "alice", "signed in")
    assert not anna.find("#name").is_displayed()
    anna.say("now it is")
    anna.wait_for("now it is")
    same(anna.texts("#list .author"), ["alina", "alice"])
    same(anna.texts("#list .guest"), ["guest"], "only one is a guest")
    anna.find(".bar form.signed-in button").click()
    anna.wait("the name field", lambda: anna.all("#name") and
              anna.find("#name").is_displayed())


ODD = [
    "<script>document.title = 'caught'</script>",
    "<img src=x onerror=\"document.title='caught'\">",
    "&lt;b&gt; &amp; &#x41; &nbsp;",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd 123 abc",
    "left \u202e right",
    "\U0001f331 \U0001f469\u200d\U0001f33e e\u0301",
    "\\alice @ 2026-11-20T14:03:07Z chatfile",
    "one\n\\bob @ 2026-11-20T14:03:07Z hchat\ntwo",
    "\\\\ two backslashes\n\\",
    "data: x\n\nevent: ping",
    "a  b\tc\n  d",
    "x" * 61440,
    "\u00e9\n" * 20000,
]


def test_odd_texts(place):
    """What looks like something else is shown as the text it is."""
    room = place.room()
    anna, bert = (place.visit("/chat/" + room) for _ in range(2))
    title = anna.driver.title
    for text in ODD:
        anna.say(text)
    wanted = [text.strip() for text in ODD]
    bert.wait("all", lambda: len(bert.texts()) == len(ODD))
    anna.wait("all", lambda: len(anna.texts()) == len(ODD))
    same(bert.texts(), wanted)
    same(anna.texts(), wanted)
    same([bert.driver.title, anna.driver.title],
         ["(%d) %s" % (len(ODD), title), title][1:] * 2)
    anna.driver.refresh()
    anna.wait("all", lambda: len(anna.texts()) == len(ODD))
    same(anna.texts(), wanted, "reloaded")
    same(anna.run("return document.querySelectorAll('#list script, #list b,"
                  " #list img').length"), 0)
    # What is long can be shown in full.
    anna.find("#list .more").click()
    assert anna.find("#list .long.open .text").size["height"] > 1000
    # Links: http and https, without what ends the sentence.
    bert.say("see https://example.org/a?b=1&c=2, (http://example.org/d_(e)) "
             "javascript:alert(1) ftp://example.org mailto:x@example.org")
    anna.wait("links", lambda: anna.all("#list .text a"))
    same([[a.get_attribute("href"), a.get_attribute("rel")]
          for a in anna.all("#list .text a")],
         [["https://example.org/a?b=1&c=2", "noopener noreferrer"],
          ["http://example.org/d_(e)", "noopener noreferrer"]])
    anna.say("x" * 65536)
    assert "too long" in anna.find("#size").text
    same(anna.texts("#pending .text"), [], "not sent")
    same(anna.errors() + bert.errors(), [], "console")


def test_history(place):
    """The last 50, older ones above; nothing moves while one reads."""
    room = place.room(messages=180)
    anna = place.visit("/chat/" + room)
    anna.wait_for("message 180")
    same(anna.texts(), numbered(180)[-50:], "the last 50")
    assert anna.run("return view.below") < 3, "not at the end"
    same(anna.texts("#news p"), [], "history is not read out")
    top = """const log = view.log.getBoundingClientRect().top;
        const li = [...document.querySelectorAll('.message')].find(
            (m) => m.getBoundingClientRect().bottom > log + 1);
        return [li.id, li.querySelector('.text').getBoundingClientRect().top]"""
    # Scrolling up: what was at the top stays where it was.
    for first in (81, 31, 1):
        before = anna.run("view.log.scrollTop = 300;" + top)
        anna.wait("older ones", lambda: anna.texts()[0] ==
                  "message %d" % first)
        name, was = before
        now = anna.run("return document.getElementById(arguments[0])"
                       ".querySelector('.text').getBoundingClientRect().top",
                       name)
        assert abs(now - was) < 2, "it jumped by %s" % (now - was)
    same(anna.texts(), numbered(180), "all")
    same(anna.find("#before p").text, "Here the room begins.")
    # Something new comes: it waits below, and the button tells of it.
    before = anna.run("view.log.scrollTop = 900;" + top)
    anna.wait("the button", lambda: anna.find("#latest").is_displayed())
    place.post(room, "news")
    anna.wait("the button", lambda: anna.find("#latest").text.startswith(
        "1 new message"))
    same(anna.driver.title, "(1) A room")
    same(anna.run(top), before, "where one reads")
    anna.find("#latest").click()
    anna.wait("the end", lambda: anna.run("return view.below") < 3)
    same(anna.driver.title, "A room")
    same(anna.texts()[-1], "news")
    anna.wait("it is read out", lambda: "mara, guest: news" in
              anna.texts("#news p"))
    # It follows what comes while one is at the end.
    place.post(room, "more\n" * 10 + "news")
    anna.wait("the next", lambda: anna.texts()[-1].startswith("more"))
    assert anna.run("return view.below") < 3, "it did not follow"
    anna.driver.refresh()
    anna.wait("the last", lambda: (anna.texts() or [""])[-1]
              .startswith("more"))
    same(len(anna.texts()), 50, "after reload")
    same(anna.errors(), [], "console")


def test_bounded(place):
    """However long the session, the document stays small."""
    room = place.room(messages=1)
    anna = place.visit("/chat/" + room)
    anna.wait_for("message 1")
    anna.run("""const made = (n) => ({number: n, author: 'ivan', time: '',
            text: 'made ' + n});
        view.on.load = async (from, to) => Array.from(
            {length: to - from + 1}, (none, i) => made(from + i));
        for (let n = 2; n <= 2000; n++) {
            view.add(made(n));
            if (n % 100 === 0) view.flush();
        }""")
    anna.wait_for("made 2000")
    assert len(anna.texts()) < 500, len(anna.texts())
    assert anna.run("return view.below") < 3
    for first in range(1500, 500, -100):
        anna.wait("older ones", lambda: anna.run(
            "view.log.scrollTop = 0; return view.first <= arguments[0]",
            first))
        assert len(anna.texts()) < 500, len(anna.texts())
    # And down again: what was let go comes back, in order.
    texts = anna.texts()
    same(texts, ["made %d" % (anna.run("return view.first") + i)
                 for i in range(len(texts))])
    for end in range(1200, 2000, 200):
        anna.wait("newer ones", lambda: anna.run(
            "view.log.scrollTop = 1e9; return view.end >= arguments[0]", end))
        assert len(anna.texts()) < 500, len(anna.texts())
    anna.find("#latest").click()
    anna.wait("the end", lambda: anna.texts()[-1] == "made 2000")
    assert anna.run("return view.below") < 3


# --- the connection ----------------------------------------------------------


def test_storm(place):
    """200 messages while helpers are killed and serve is restarted."""
    room = place.room()
    anna, bert = (place.visit("/chat/" + room) for _ in range(2))
    for browser, name in ((anna, "anna"), (bert, "bert")):
        browser.take_name(name)
        browser.run("""const word = arguments[0];
            window.sent = 0;
            setInterval(() => {
                if (sent < 100 && outbox.entries.length < 3)
                    outbox.add(word + ' ' + ++sent);
            }, 20)""", name)
    both = lambda n: anna.wait(  # noqa: E731
        "%d messages" % n, lambda: len(anna.texts()) >= n, 60)
    for number, trouble in enumerate((
            lambda: place.host.kill("fanout"),
            lambda: place.host.kill("gallery"),
            place.host.restart,
            lambda: place.host.kill("gallery"),
            place.host.restart), 1):
        both(30 * number)
        trouble()
    for browser in (anna, bert):
        browser.wait("200 messages", lambda: browser.run(
            "return outbox.entries.length === 0 && live.cursor >= 200"), 90)
    last = max(b.run("return live.newest") for b in (anna, bert))
    for browser in (anna, bert):
        browser.wait("the last one", lambda: browser.run(
            "return live.cursor === arguments[0]", last))
        browser.wait("it on the screen", lambda: browser.run(
            "return view.end === arguments[0]", last))
    same(anna.texts(), bert.texts(), "both see the same")
    for name in ("anna", "bert"):
        same([t for t in anna.texts() if t.startswith(name)],
             numbered(100, name), "in order, once each")


def test_long_poll(place):
    """Without EventSource the page polls, and misses nothing."""
    room = place.room(messages=120)
    anna = place.browser()
    anna.before_every_page("delete window.EventSource")
    anna.get(place.host.url("/chat/" + room))
    anna.wait_for("message 120")
    same(len(anna.texts()), 50)
    anna.say("by poll")
    anna.wait_for("by poll")
    place.post(room, "to a poll")
    anna.wait_for("to a poll")
    place.host.stop()
    place.host.say(room, "while it was away")
    anna.say("sent while it was away")
    place.host.start()
    anna.wait_for("while it was away")
    anna.wait_for("sent while it was away")
    anna.run("view.log.scrollTop = 0")
    anna.wait_for("message 25")
    same(anna.texts()[-6:], numbered(120)[-2:] + [
        "by poll", "to a poll", "while it was away",
        "sent while it was away"])


def test_silent_stream(place):
    """A stream that opens and says nothing is not trusted."""
    room = place.room()
    anna = place.browser()
    anna.before_every_page("""window.EventSource = class {
        constructor() { setTimeout(() => this.onerror?.(), 50); }
        addEventListener() {}
        close() {}
    }""")
    anna.get(place.host.url("/chat/" + room))
    anna.wait("polls", lambda: anna.run(
        "return live.polling_until > Date.now()"))
    place.post(room, "nevertheless")
    anna.wait_for("nevertheless")


def test_failed(place):
    """What is refused says so, and can be tried again or discarded."""
    room = place.room()
    anna = place.visit("/chat/" + room)
    refuse = """window.real ??= window.fetch;
        window.fetch = (path, options) => path.startsWith('/send/') ?
            Promise.resolve(new Response('', {status: arguments[0] || 507})) :
            real(path, options);"""
    anna.run(refuse.replace("arguments[0]", "507"))
    anna.say("one")
    anna.say("two")
    anna.wait("two refused", lambda: anna.texts(
        "#pending [data-state=failed] .text") == ["one", "two"])
    assert "cannot store it" in anna.find("#pending .state").text
    # They outlive a reload.
    anna.driver.refresh()
    anna.wait("two kept", lambda: anna.texts(
        "#pending [data-state=failed] .text") == ["one", "two"])
    one, two = anna.all("#pending .message")
    two.find_elements("css selector", "button")[1].click()
    one.find_elements("css selector", "button")[0].click()
    anna.wait_for("one")
    same(anna.texts("#pending .text"), [])
    # An answer that is lost: stored once, shown once.
    anna.run("""window.real ??= window.fetch;
        window.fetch = async (path, options) => {
            const answer = await real(path, options);
            if (path.startsWith('/send/') && !window.lost) {
                window.lost = true;
                throw new TypeError('lost');
            }
            return answer;
        }""")
    anna.say("three")
    anna.wait_for("three")
    anna.say("four")
    anna.wait_for("four")
    same(anna.texts(), ["one", "three", "four"])
    same(anna.texts("#pending .text"), [])
    same(anna.texts("#list .own .text"), ["one", "three", "four"])


def test_lost(place):
    """Without a server it says so, and goes on when there is one."""
    room = place.room()
    anna = place.visit("/chat/" + room)
    anna.say("before")
    anna.wait_for("before")
    place.host.stop()
    anna.say("during")
    anna.wait("a word", lambda: "lost" in anna.find("#lost").text)
    same(anna.texts("#pending [data-state=waiting] .text"), ["during"])
    place.host.say(room, "meanwhile")
    place.host.start()
    anna.wait_for("during")
    same(anna.texts(), ["before", "meanwhile", "during"])
    same(anna.find("#lost").text, "")


def test_ten_tabs(place):
    """Ten tabs of one browser, of ten rooms and of one, all stay live."""
    rooms = [place.room("Room %d" % n) for n in range(9)] + ["lobby"]
    anna = place.browser()
    tabs = []
    for path in rooms + [rooms[0]] * 3:
        if tabs:
            anna.driver.switch_to.new_window("tab")
        anna.get(place.host.url("/chat/" + path))
        tabs.append((anna.driver.current_window_handle, path))
    for room in rooms:
        place.post(room, "to all of " + room)
    started = time.monotonic()
    for handle, room in tabs:
        anna.driver.switch_to.window(handle)
        anna.wait_for("to all of " + room)
        anna.say("from tab " + handle)
        anna.wait_for("from tab " + handle)
    print("# ten tabs: %.1f s" % (time.monotonic() - started))
    # In a tab that nobody looks at the title tells.
    place.post(rooms[3], "later")
    titles = []

    def told():
        titles[:] = [entry["title"] for entry in
                     anna.cdp("Target.getTargets")["targetInfos"]]
        return any(title.endswith(") Room 3") for title in titles)
    anna.wait("a title", told, 40)
    # Pages left behind give their connection up.
    for _ in range(8):
        anna.get(place.host.url("/"))
        anna.get(place.host.url("/chat/" + rooms[1]))
    place.post(rooms[1], "still here")
    anna.wait_for("still here")


# --- the other doors ---------------------------------------------------------


def test_other_doors(place):
    """One conversation, whichever door one comes in by."""
    place.account("ivan", "correct horse")
    anna = place.visit("/chat/lobby")
    place.host.say("lobby", "from the shell")
    anna.wait_for("from the shell")
    # chatfile -f, and a file that one writes into.
    local = place.folder + "/lobby.txt"
    with open(place.folder + "/.netrc", "w") as netrc:
        os.fchmod(netrc.fileno(), 0o600)
        netrc.write("machine 127.0.0.1 login ivan password correct horse\n")
    url = place.host.url("/rooms/lobby.txt", "chatfile")
    client = [BUILD + "/bin/chatfile", "-u", "ivan"]
    secret = {"CHATFILE_PASSWORD": "correct horse"}
    subprocess.run(client + [url], cwd=place.folder, check=True, timeout=30,
                   env=dict(place.host.environment, **secret),
                   capture_output=True)
    place.host.run(*client, "-f", url, **secret)
    tail = place.host.run(BUILD + "/bin/parlance", "room", "tail", "-f",
                          "lobby")
    anna.say("from the page")
    read = lambda: open(local, encoding="utf-8").read()  # noqa: E731
    anna.wait("it in the file", lambda: "from the page\n\\~guest" in read())
    with open(local, "a", encoding="utf-8") as file:
        file.write("from a file\n")
    anna.wait_for("from a file")
    same(anna.texts(), ["from the shell", "from the page", "from a file"])
    same(anna.texts("#list .author"), ["ivan", "guest", "ivan"])
    os.set_blocking(tail.stdout.fileno(), False)
    heard = []

    def tailed():
        heard.append(tail.stdout.read() or b"")
        return b"from a file" in b"".join(heard)
    anna.wait("tail -f", tailed)
    assert b"from the page" in b"".join(heard)


# --- seen, and not seen ------------------------------------------------------


def axe(browser, where):
    with open(BUILD + "/axe-core/package/axe.min.js", encoding="utf-8") as js:
        browser.run(js.read())
    found = browser.driver.execute_async_script("""
        const done = arguments[0];
        axe.run(document, {resultTypes: ['violations', 'incomplete']})
            .then((r) => done(r.violations.concat(r.incomplete.filter(
                (i) => i.id !== 'color-contrast'))))""")
    same([(rule["id"], [node["html"] for node in rule["nodes"]])
          for rule in found], [], "axe on " + where)


def test_accessible(place):
    """axe-core finds nothing, in any state, theme or width."""
    place.account("alice", "open sesame")
    room = conversation(place)
    anna = place.visit("/")
    for dark in (False, True):
        for size in (PHONE, DESKTOP, (320, 568)):
            anna.screen(size, dark)
            where = "%s %s" % (size, "dark" if dark else "light")
            anna.get(place.host.url("/"))
            axe(anna, "index " + where)
            anna.get(place.host.url("/login?room=" + room))
            axe(anna, "login " + where)
            anna.get(place.host.url("/chat/" + room))
            anna.wait_for("Good. See you on Sunday then.")
            anna.run("outbox.add('x'); outbox.fail(outbox.entries[0],"
                     "'it is too long.'); view.log.scrollTop = 0")
            anna.wait("the button", lambda: anna.find("#latest").is_displayed)
            axe(anna, "room " + where)
            wide = anna.run("return document.documentElement.scrollWidth")
            assert wide <= size[0], "%d px wide on %s" % (wide, where)
            anna.run("outbox.discard(outbox.entries[0])")


def test_keyboard(place):
    """All of it without a mouse."""
    room = place.room(messages=120)
    anna = place.visit("/chat/" + room)
    anna.wait_for("message 120")
    focus = lambda: anna.run("return document.activeElement.id ||"  # noqa: E731
                             "document.activeElement.textContent.trim()")
    keys = lambda *k: anna.driver.switch_to.active_element.send_keys(*k)  # noqa: E731
    same(focus(), "message", "one can type at once")
    keys("one", Keys.SHIFT + Keys.ENTER, Keys.NULL, "two", Keys.ENTER)
    anna.wait_for("one\ntwo")
    same(focus(), "message", "and go on typing")
    keys(Keys.PAGE_UP, Keys.PAGE_UP)
    anna.wait("the button", lambda: anna.find("#latest").is_displayed())
    order = []
    for _ in range(9):
        keys(Keys.TAB)
        order.append(focus())
        ring = anna.run("const e = document.activeElement;"
                        "return e === document.body || "
                        "getComputedStyle(e).outlineStyle !== 'none'")
        assert ring, "no focus to be seen on " + order[-1]
    for part in ("send", "copy", "log", "latest", "name"):
        assert part in order, order
    anna.find("#latest").send_keys(Keys.ENTER)
    anna.wait("the end", lambda: anna.run("return view.below") < 3)
    anna.find("#before button").send_keys(Keys.ENTER)
    anna.wait_for("message 25")
    anna.find("#message").send_keys(Keys.ESCAPE)
    anna.wait("the end", lambda: anna.run("return view.below") < 3)


def test_without_script(place):
    """Kindly told, with the transcript; rooms are made and doors opened."""
    room = place.room("Quiet room", messages=2)
    anna = place.browser()
    anna.cdp("Emulation.setScriptExecutionDisabled", value=True)
    anna.get(place.host.url("/"))
    assert "Quiet room" in anna.driver.page_source
    anna.get(place.host.url("/chat/" + room))
    assert "your browser must run" in anna.find("noscript").text
    anna.find("noscript a").click()
    anna.wait("the transcript", lambda: "message 2" in anna.driver.page_source)


def conversation(place):
    """A room with something of everything, for the eye."""
    room = place.room("Garden plans for spring")
    lines = [
        ("ivan", "The seed catalogue has come. Shall we order together again,"
         " as we did last year?"),
        ("~mara", "Yes please! Beans and the yellow tomatoes."),
        ("~mara", "And I would like to try the blue maize this time, if there"
         " is still room along the fence."),
        ("ivan", "There is. It is all on https://example.org/catalogue/2027"),
        ("~mara", "Good. See you on Sunday then."),
    ]
    for author, text in lines:
        if author.startswith("~"):
            place.post(room, text, author[1:])
        else:
            place.host.say(room, text, author)
    return room


def test_screenshot(place):
    """The picture of the README (SHOTS=folder: of everything)."""
    room = conversation(place)
    anna = place.visit("/chat/" + room)
    anna.take_name("lena")
    anna.wait_for("Good. See you on Sunday then.")
    anna.say("Wonderful. I can bring the spade and the string.")
    anna.wait_for("Wonderful. I can bring the spade and the string.")
    anna.screen((900, 620))
    anna.run("document.activeElement.blur(); view.follow()")
    anna.shot(place.folder + "/hchat.png")
    size = os.path.getsize(place.folder + "/hchat.png")
    assert 10000 < size < 80000, size
    if os.environ.get("SHOTS"):
        shots(place, anna, os.environ["SHOTS"])


def shots(place, anna, folder):
    shutil.copy(place.folder + "/hchat.png", folder)
    pages = {"room": anna.driver.current_url, "index": place.host.url("/"),
             "login": place.host.url("/login"),
             "empty": place.host.url("/chat/" + place.room("Empty")),
             "long": place.host.url("/chat/" + place.room("Long", 120))}
    for name, url in pages.items():
        for dark in (False, True):
            for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
                anna.screen(size, dark)
                anna.get(url)
                time.sleep(0.5)
                if name == "long":
                    anna.run("view.log.scrollTop -= 900")
                    place.post(url.rsplit("/", 1)[1], "something new")
                    time.sleep(0.5)
                anna.shot("%s/%s-%s-%s.png" % (
                    folder, name, kind, "dark" if dark else "light"))


def main():
    name, folder = sys.argv[1:]
    place = Place(folder)
    try:
        globals()["test_" + name](place)
    except BaseException:
        for number, browser in enumerate(place.browsers):
            browser.shot("%s/failed-%d.png" % (folder, number))
            print("console:", browser.errors())
        raise
    finally:
        place.end()


if __name__ == "__main__":
    main()
