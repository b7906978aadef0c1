"""toychat_faults.py SCENARIO: the machine fails under the text door. See
toychat.py; toychat-faults.bats says what each is. STATE_DIRECTORY is on a small
disk of its own where the scenario begins with full_.
"""
import os
import subprocess

from helper_process import BUILD, main
from toychat import (LOBBY, STATE, Chat, assert_sound, chat, rows, strace,
                     writer)

FULL = "error storage full"
FAILED = "error storage failed"
NOT_WRITTEN = "error could not write to file"


def fill():
    with open(STATE + "/fill", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def free():
    os.unlink(STATE + "/fill")


def admin(*words):
    """Its exit status."""
    return subprocess.run([BUILD + "/bin/parlance", *words],
                          capture_output=True, check=False).returncode


def said():
    """The lobby's messages."""
    with open(LOBBY, encoding="utf-8") as file:
        return [line for line in file.read().splitlines()
                if not line.startswith("\\")]


def send_until_refused(c, to, texts):
    """What was acknowledged; what was not is the last of texts."""
    told = []
    for text in texts:
        answer = c.say(f"send {to} {text}")
        if answer != "success":
            assert answer == FULL, answer
            return told
        told.append(text)
    raise AssertionError("the disk is not full")


def many(word):
    """Messages that fill what is left of pages and of logs."""
    return (f"{word} {number} " + "x" * 200 for number in range(5000))


# --- no space ----------------------------------------------------------------

def full_send():
    ann, bob = chat("ann"), chat("bob")
    fill()
    told = send_until_refused(ann, "bob", many("direct"))
    told_all = send_until_refused(ann, "*", many("all"))
    ann.refused("send bob and again", "storage full")
    assert bob.inbox().get("ann", 0) == len(told)
    free()
    ann.must("send bob last")
    ann.must("send * last")
    got = [bob.recv("ann")[2] for _ in range(len(told) + 1)]
    assert got == [*told, "last"]
    got = [bob.recv("*")[2] for _ in range(len(told_all) + 1)]
    assert got == [*told_all, "last"]
    assert bob.inbox() == {} and said() == got
    assert admin("check") == 0
    assert_sound()


def full_register():
    ann = chat("ann")
    fill()
    send_until_refused(ann, "ann", many("direct"))
    c = Chat()
    assert c.say("register bob the password") == FULL
    c.refused("login bob the password", "invalid username or password")
    ann.refused("send bob hello", "recipient does not exist")
    assert os.listdir(STATE + "/accounts") == ["ann"]
    free()
    c.must("register bob the password")
    ann.must("send bob hello")
    assert c.inbox() == {"ann": 1}
    assert admin("check") == 0
    assert_sound()


def full_first_register():
    """The one that makes the database."""
    Chat().leave()
    fill()
    c = Chat()
    answer = c.say("register ann the password")
    assert answer in (FULL, FAILED), answer
    free()
    c.must("register ann the password")
    assert_sound()


def full_upload():
    ann = chat("ann")
    assert ann.upload("before", b"x" * 10) == "success"
    fill()
    assert ann.upload("a", b"send * hi\r\n" * 30000) == NOT_WRITTEN
    assert ann.say("getfilelist") == "filelist before"
    assert ann.say("download before") == ("before", b"x" * 10)
    assert os.listdir(STATE + "/files") == ["before"]
    free()
    assert ann.upload("a", b"y" * 300000) == "success"
    assert ann.say("download a") == ("a", b"y" * 300000)
    assert said() == ["ann has uploaded before", "ann has uploaded a"]
    # A file of which nobody can be told is not there.
    fill()
    os.truncate(STATE + "/fill", os.path.getsize(STATE + "/fill") - 8192)
    answers = [ann.upload(f"u{i}", b"z") for i in range(200)]
    assert answers[-1] == NOT_WRITTEN, answers[-1]
    told = [f"u{i}" for i, answer in enumerate(answers)
            if answer == "success"]
    assert sorted(os.listdir(STATE + "/files")) == sorted(
        ["before", "a", *told])
    assert said()[2:] == [f"ann has uploaded {name}" for name in told]


# --- syncs that fail ---------------------------------------------------------

ONE = "fdatasync:error=EIO:when=1"
FOLDER = "fsync:error=EIO:when=1"
ALL = "fdatasync,fsync:error=EIO"


def sync_send():
    """Under the database: once, it is mended; always, it is shut."""
    ann, bob = chat("ann"), chat("bob")
    ann.must("send bob 1")
    c = chat("ann", before=strace(ONE))
    assert c.say("send bob refused") == FAILED
    c.must("send bob 2")
    ann.must("send bob 3")
    c = chat("ann", before=strace(ALL))
    assert c.say("send bob refused, too") == FAILED
    assert c.say("send bob and again") == FAILED
    answer = ann.say("send bob by another")
    if answer == FAILED:
        assert admin("check") == 1
        assert admin("check", "--repair") == 0
        ann.must("send bob 4")
    else:
        assert answer == "success"
    ann.must("send bob 5")
    got = [body for _, _, body in bob.drain()]
    assert got == ["1", "2", "3",
                   "4" if answer == FAILED else "by another", "5"], got
    assert_sound()
    assert rows("SELECT count(*) FROM messages") == ["0"]


def sync_recv():
    """What could not be taken is there still."""
    ann = chat("ann")
    ann.must("send ann 1")
    ann.must("send * 2")
    for box, wanted in ("ann", "1"), ("*", "2"):
        c = chat("ann", before=strace(ONE))
        assert c.say("recv " + box) == FAILED
        assert ann.inbox()[box] == 1
        assert c.recv(box)[2] == wanted
    assert ann.inbox() == {}


def sync_register():
    ann = chat("ann")
    c = Chat(before=strace(ONE))
    assert c.say("register bob the password") == FAILED
    ann.refused("send bob hello", "recipient does not exist")
    c.must("register bob the password")
    ann.must("send bob hello")
    assert admin("check") == 0


def sync_lobby():
    """The lobby is shut until it is repaired, or the machine restarts."""
    ann, bob = chat("ann"), chat("bob")
    ann.must("send * 1")
    c = chat("ann", before=strace(ONE))
    assert c.say("send * refused") == FAILED
    for who in ann, bob, c:
        assert who.say("send * refused, too") == FAILED
    assert ann.upload("a", b"x") == NOT_WRITTEN
    assert os.listdir(STATE + "/files") == []
    ann.must("send bob direct")
    assert bob.inbox() == {"*": 1, "ann": 1}
    assert admin("room", "check", "--repair", "lobby") == 0
    ann.must("send * 2")
    assert bob.drain() == [("ann", "*", "1"), ("ann", "*", "2"),
                           ("ann", "bob", "direct")]
    assert said() == ["1", "2"]


def sync_upload():
    ann = chat("ann")
    for name, what in ("a", ONE), ("b", FOLDER):
        before = ann.say("getfilelist")
        c = chat("ann", before=strace(what))
        assert c.upload(name, b"x") == NOT_WRITTEN
        assert ann.say("getfilelist") == before
        assert c.upload(name, b"x") == "success"
        assert ann.say("download " + name) == (name, b"x")
    assert said() == ["ann has uploaded a", "ann has uploaded b"]


# --- a schema of another version ---------------------------------------------

def newer():
    """Refused, with a line in the log that says so; nothing is changed."""
    ann = chat("ann")
    ann.must("send ann hello")
    ann.leave()
    db = writer()
    db.execute("PRAGMA user_version = 999")
    db.execute("COMMIT")
    c = Chat()
    assert c.say("login ann the password") == FAILED
    assert c.say("register bob the password") == FAILED
    c.leave()
    assert "newer" in c.log(), c.log()
    db.execute("PRAGMA user_version = 2")
    assert chat("ann").drain() == [("ann", "ann", "hello")]


if __name__ == "__main__":
    main({f.__name__: f for f in (
        full_send, full_register, full_first_register, full_upload, sync_send,
        sync_recv, sync_register, sync_lobby, sync_upload, newer)})
