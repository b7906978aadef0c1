"""A headless Chromium of one's own, driven by chromium-driver.

Every Browser is another person: a fresh profile, hence cookies, storage and
connections of its own. Nothing of it talks to anywhere but the page.
"""
import os
import shutil
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import (NoSuchElementException,
                                        StaleElementReferenceException)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FLAGS = """--headless=new --no-sandbox --disable-quic
    --disable-background-networking --disable-component-update --disable-sync
    --no-first-run --disable-default-apps --disable-gpu --no-proxy-server
    --disable-dev-shm-usage --force-color-profile=srgb --lang=en-GB""".split()


class Browser:
    def __init__(self, size=(1280, 800), dark=False):
        self.profile = tempfile.mkdtemp(prefix="parlance-chromium.")
        options = Options()
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument("--user-data-dir=" + self.profile)
        options.add_argument("--window-size=%d,%d" % size)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service("/usr/bin/chromedriver", log_path=os.devnull,
                          env=dict(os.environ, HOME=self.profile))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.screen(size, dark)
        self.cdp("Emulation.setLocaleOverride", locale="en-GB")
        self.cdp("Emulation.setTimezoneOverride", timezoneId="Europe/Vienna")

    def screen(self, size, dark=False, scale=1):
        """A screen of that many CSS pixels, exactly; light or dark."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=size[0],
                 height=size[1], deviceScaleFactor=scale, mobile=False)
        scheme = "dark" if dark else "light"
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def before_every_page(self, script):
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=script)

    def get(self, url):
        self.driver.get(url)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def shot(self, path):
        self.driver.save_screenshot(path)

    def say(self, text):
        """Put a message into the page as typing would, and press Enter."""
        self.run("""const m = document.getElementById('message');
            m.focus(); m.value = arguments[0];
            m.dispatchEvent(new Event('input', {bubbles: true}))""", text)
        self.find("#message").send_keys(Keys.ENTER)

    def keys(self, *keys):
        """Press them, wherever the focus is; a modifier holds to the end."""
        chain = ActionChains(self.driver)
        held = [Keys.SHIFT, Keys.CONTROL]
        for key in keys:
            chain.key_down(key) if key in held else chain.send_keys(key)
        for key in held:
            if key in keys:
                chain.key_up(key)
        chain.perform()

    def take_name(self, name):
        field = self.find("#name")
        field.clear()
        field.send_keys(name, Keys.ENTER)

    def texts(self, selector="#list .text"):
        return self.run("""return [...document.querySelectorAll(arguments[0])]
            .map((part) => part.textContent)""", selector)

    def wait(self, what, probe, seconds=30):
        """Until probe() is true; says what was waited for if it never is."""
        end = time.monotonic() + seconds
        while True:
            try:
                got = probe()
            except (NoSuchElementException, StaleElementReferenceException):
                got = None
            if got:
                return got
            if time.monotonic() > end:
                raise AssertionError("waited %d s for %s" % (seconds, what))
            time.sleep(0.05)

    def wait_for(self, text, selector="#list .text", seconds=30):
        self.wait(repr(text[:60]),
                  lambda: text in self.texts(selector), seconds)

    def errors(self):
        """What the console complained about, connection troubles apart."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE"
                and "net::ERR_" not in entry["message"]]

    def quit(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)
