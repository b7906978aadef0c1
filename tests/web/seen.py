"""How it looks and sounds, and that it can be used by everyone."""
import os
import shutil
import time

from browser import Keys
from host import BUILD
from place import DESKTOP, PHONE, same


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
    place.host.account("alice", "open sesame")
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
            anna.get(place.host.url("/chat/nowhere"))
            axe(anna, "an error " + where)
    # Signed in, after a wrong password; with an upload and a long message.
    anna.get(place.host.url("/login?room=lobby"))
    for password in ("wrong", "open sesame"):
        anna.run("document.getElementById('name').value = 'alice'")
        anna.find("#password").send_keys(password, Keys.ENTER)
        if password == "wrong":
            anna.wait("a word", lambda: anna.find(".error").text)
            axe(anna, "a wrong password")
    anna.wait("the room", lambda: anna.all("#composer"))
    anna.run("""[['ivan', 'line\\n'.repeat(60)], ['server', 'hello'],
        ['ivan', 'ivan has uploaded a.txt', 'a.txt']].forEach(
            ([author, text, file], i) => view.add({number: i + 1, author,
                text, file, time: '2026-11-20T14:03:07Z'}))""")
    anna.wait_for("hello")
    axe(anna, "all kinds of messages")
    anna.get(place.host.url("/"))
    axe(anna, "the index, signed in")


def test_keyboard(place):
    """All of it without a mouse."""
    room = place.room(messages=120)
    anna = place.visit("/chat/" + room)
    anna.wait_for("message 120")
    focus = lambda: anna.run("return document.activeElement.id ||"  # noqa: E731
                             "document.activeElement.textContent.trim()")
    keys = anna.keys
    same(focus(), "message", "one can type at once")
    keys("one", Keys.SHIFT, Keys.ENTER)
    keys("two", Keys.ENTER)
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
             "missing": place.host.url("/chat/" + 32 * "0"),
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
    place.host.account("alice", "open sesame")
    anna.get(pages["login"] + "?room=" + pages["room"].rsplit("/", 1)[1])
    anna.find("#name").send_keys("alice")
    anna.find("#password").send_keys("wrong", Keys.ENTER)
    anna.wait("a word", lambda: anna.find(".error").text)
    anna.shot(folder + "/login-wrong.png")
    anna.find("#password").send_keys("open sesame", Keys.ENTER)
    anna.wait("the room", lambda: anna.all("#composer"))
    anna.say("As alice.")
    anna.wait_for("As alice.")
    for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
        anna.screen(size)
        anna.shot("%s/signed-in-%s.png" % (folder, kind))
        anna.get(place.host.url("/"))
        anna.shot("%s/signed-in-index-%s.png" % (folder, kind))
        anna.driver.back()
        time.sleep(0.5)
