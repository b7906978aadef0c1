"""The page and its connection: helpers die, servers restart, tabs abound."""
import os
import signal
import subprocess
import time

from host import BUILD
from place import numbered, same


def test_storm(place):
    """200 messages while helpers and handlers die and serve restarts."""
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
            lambda: place.host.kill_helper("fanout"),
            lambda: place.host.kill_helper("gallery"),
            place.host.restart,
            lambda: place.host.kill_helper("gallery"),
            lambda: place.host.kill("hchat"),
            lambda: place.host.kill("hchat"),
            lambda: place.host.kill("hchat"),
            place.host.restart), 1):
        both(20 * number)
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
    assert "did not answer" not in anna.find("#pending .state").text
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
    # The browser itself may send again when a connection breaks.
    again = {"Idempotency-Key": "abc-1"}
    same(place.post(room, "five", **again), 4)
    same(place.post(room, "five", **again), 4)
    same(place.post(room, "five"), 5)


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


def test_asleep(place):
    """A connection that died unnoticed, as a laptop's does while it sleeps."""
    room = place.room()
    anna = place.browser()
    anna.before_every_page("""window.sources = [];
        window.EventSource = class extends EventSource {
            constructor(url) {
                super(url);
                sources.push(this);
            }
        }""")
    anna.get(place.host.url("/chat/" + room))
    place.post(room, "before")
    anna.wait_for("before")
    dead = "sources.at(-1).onmessage = null;"
    # Hours passed between two ticks of a timer.
    anna.run(dead + """const real = Date.now;
        Date.now = () => real.call(Date) + 3600000""")
    place.post(room, "asleep")
    anna.wait_for("asleep", seconds=12)
    # Or somebody looks at the page again.
    anna.wait("a stream", lambda: anna.run("return sources.at(-1).readyState")
              == 1)
    anna.run(dead + "live.heard -= 60000")
    place.post(room, "looked at")
    anna.run("document.dispatchEvent(new Event('visibilitychange'))")
    anna.wait_for("looked at", seconds=3)
    # Gallery hangs: streams open and say nothing.
    pid = place.host.children("gallery")[0]
    os.kill(pid, signal.SIGSTOP)
    place.post(room, "without gallery")
    anna.run("live.expect()")
    anna.wait_for("without gallery", seconds=40)
    os.kill(pid, signal.SIGCONT)
    same(anna.texts(), ["before", "asleep", "looked at", "without gallery"])


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


def test_other_doors(place):
    """One conversation, whichever door one comes in by."""
    place.host.account("ivan", "correct horse")
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
