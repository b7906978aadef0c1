"""What people say, and how it looks to the others."""
import os
import shlex
import subprocess

from browser import Keys
from host import BUILD
from place import numbered, same


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
    place.host.account("alice", "open sesame")
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
        if password == "wrong":
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


def test_uploads(place):
    """Uploads are links; what the server says is not taken for a person."""
    place.host.say("lobby", "hello")
    with open(place.folder + "/state/rooms/lobby.txt", "a") as room:
        room.write("ivan has uploaded bed plan?.pdf\n"
                   "\\ivan @ 2026-11-20T14:03:07Z bcs file=bed%20plan%3F.pdf\n"
                   "The server goes down at ten.\n"
                   "\\server @ 2026-11-20T14:03:08Z parlance\n"
                   "by whom?\n\\\n")
    place.post("lobby", "well")
    for streams in (True, False):
        anna = place.browser()
        if not streams:
            anna.before_every_page("delete window.EventSource")
        anna.get(place.host.url("/chat/lobby"))
        anna.wait_for("well")
        same(anna.run("return [...document.querySelectorAll('.message')]"
                      ".map((m) => m.dataset.kind)"),
             ["said", "file", "system", "system", "said"])
        link = anna.find(".text .file")
        same([link.text, link.get_attribute("href")],
             ["bed plan?.pdf", place.host.url("/files/bed%20plan%3F.pdf")])
        same(anna.texts()[1], "ivan has uploaded bed plan?.pdf")
        same(anna.errors(), [], "console")


def saved(browser, link, folder):
    """Click it; the name and the bytes of the file that this saved."""
    os.mkdir(folder)
    browser.cdp("Browser.setDownloadBehavior", behavior="allow",
                downloadPath=folder)
    link.click()

    def whole():
        """Nothing but the file: what Chromium writes to first is gone."""
        names = os.listdir(folder)
        return names if not any(n.startswith(".") or n.endswith(".crdownload")
                                for n in names) else []

    browser.wait("a file", whole)
    name, = os.listdir(folder)
    with open(folder + "/" + name, "rb") as file:
        return name, file.read()


def upload(place, files):
    """By the client of the binary door."""
    folder = place.folder + "/mara"
    os.mkdir(folder)
    for name, text in files.items():
        with open(folder + "/" + name, "w") as file:
            file.write(text)
    subprocess.run(
        [BUILD + "/bin/bcs_client.py", "-h", "127.0.0.1", "-p",
         str(place.host.port["bcs"]), "-u", "mara"],
        input="".join("/send %s\n" % shlex.quote(name) for name in files),
        text=True, cwd=folder, env=place.host.environment, timeout=60,
        check=True)


def test_downloads(place):
    """Whatever a file is called, its link saves it, and the page stays."""
    # What Chromium makes of a name is the other.
    names = {"bed plan.pdf": "bed plan.pdf", "100%.txt": "100%.txt",
             "a%20b.txt": "a%20b.txt", "a#b?c&d=1.txt": "a#b_c&d=1.txt",
             "чайник.txt": "чайник.txt", "<b>bold<b>.html": "_b_bold_b_.html"}
    upload(place, {name: "<script>alert(1)</script>" + name
                   for name in names})
    for streams in (True, False):
        anna = place.browser()
        if not streams:
            anna.before_every_page("delete window.EventSource")
        anna.get(place.host.url("/chat/lobby"))
        anna.wait("links", lambda: len(anna.all(".text .file")) == len(names))
        same(anna.texts()[:len(names)],
             ["mara has uploaded " + name for name in names])
        for number, (name, kept) in enumerate(names.items()):
            link = anna.all(".text .file")[number]
            same(link.text, name)
            same(saved(anna, link, "%s/saved-%s-%d"
                       % (place.folder, streams, number)),
                 (kept, ("<script>alert(1)</script>" + name).encode()))
        # It is the same page still, and listens.
        place.post("lobby", "still here, %s" % streams)
        anna.wait_for("still here, %s" % streams)
        same(anna.errors(), [], "console")
