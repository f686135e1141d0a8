"""The verifier's modules in a real browser, and what Python says of the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, FilePayload, Page, Route, sync_playwright

from telefine_assets.api.pages import verifier
from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.failures import VerificationFailed
from telefine_assets.attestation.policy import SignerPolicy
from telefine_assets.attestation.policy_file import policy_bytes
from telefine_assets.attestation.snapshot import CheckedLog, Snapshot, check_snapshot
from telefine_assets.attestation.verify import verify_bundle
from telefine_assets_tests.attestation.example import NOW, recheck
from telefine_assets_tests.attestation.logs import EVIDENCE

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: the verifier runs in a browser")
ORIGIN = "http://verifier.test"
_QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)

_JUDGE = """async ([cases, logs]) => {
  const { verifyGiven } = await import("/static/verify/verify.js");
  const { policyOf, readPolicy } = await import("/static/verify/policy.js");
  const { utf8 } = await import("/static/verify/bytes.js");
  const policyFrom = (said) => (said === null ? null : Array.isArray(said) ? policyOf(said) : readPolicy(utf8(said)));
  return cases.map(({ bundle, log, policy, at, files }) => {
    const shown = log === null ? null : utf8(logs[log]);
    const given = { bundle: utf8(bundle), log: shown, files, uid: null, at: BigInt(at) };
    const { verdict, code, checks } = verifyGiven(given, policyFrom(policy));
    return [verdict, code, Object.fromEntries(checks.map(({ name, state }) => [name, state]))];
  });
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, quiet."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET.split())
        yield browser
        browser.close()


@cache
def answered(path: str) -> dict[str, Any]:
    """What a server with the verifier's routes answers, in playwright's words."""
    from starlette.testclient import TestClient

    app = FastAPI()
    app.include_router(verifier.router)
    answer = TestClient(app).get(path)
    return {"status": answer.status_code, "headers": dict(answer.headers), "body": answer.content}


def modules_page(browser: Browser, **files: bytes) -> Page:
    """A page of a server that has the verifier's routes, and ``files`` at ``/NAME``.

    It stands at ``/page``, which is empty if none is given. Nothing else can be reached.
    """
    files = {"page": b"<!doctype html>", **files}

    def serve(route: Route) -> None:
        origin, path = route.request.url[: len(ORIGIN)], route.request.url[len(ORIGIN) :].split("#")[0]
        if origin != ORIGIN:
            route.abort()
        elif path[1:] in files:
            route.fulfill(body=files[path[1:]], content_type="text/html" if path == "/page" else "application/json")
        else:
            route.fulfill(**answered(path))

    page = browser.new_page()
    page.route("**/*", serve)
    page.goto(f"{ORIGIN}/page")
    return page


@dataclass(frozen=True)
class Case:
    """What a reader is handed, and whom he trusts: a policy, addresses, or nobody said.

    ``bundle`` and ``log`` are JSON; a tampered part is written as it is, not canonically.
    Python has all evidence but what is ``gone``; the browser has none if that is None, else the same.
    """

    bundle: Any
    log: Any = None
    policy: SignerPolicy | list[str] | None = None
    at: int = NOW
    gone: tuple[str, ...] | None = None

    @property
    def evidence(self) -> dict[str, bytes]:
        """What is left of it, by sha256."""
        return {digest: content for digest, content in EVIDENCE.items() if digest not in (self.gone or ())}

    @property
    def files(self) -> list[dict[str, Any]]:
        """The evidence that a browser is given."""
        left = {} if self.gone is None else self.evidence
        return [{"name": each, "sha256": each, "size": len(content)} for each, content in left.items()]

    @classmethod
    def of(cls, parts: dict[str, Any], policy: SignerPolicy | list[str] | None) -> Case:
        """Parts as ``matrix.PARTS`` has them; the log may be missing."""
        own = dict(parts)
        log = own.pop("log", None)
        return cls(own, log, policy)

    def python(self, policy: SignerPolicy | None = None) -> str | None:
        """The code with which Python refuses it, evidence and all; None if it does not."""
        policy = policy or self.policy
        try:
            bundle = AttestationBundle.from_bytes(text(self.bundle).encode())
            checked = None
            if self.log is not None:
                checked = checked_log(text(self.log), policy)
                policy = checked.policy
            verify_bundle(bundle, self.evidence, policy, at=self.at, log=checked, recheck_decision=recheck)
        except VerificationFailed as failure:
            return str(failure.code)
        return None


@cache
def checked_log(log: str, policy: SignerPolicy) -> CheckedLog:
    return check_snapshot(Snapshot.from_bytes(log.encode()), policy)


def text(value: Any) -> str:
    """JSON as a stranger may write it; text stays as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def judged(page: Page, cases: Sequence[Case]) -> list[tuple[str, str | None, dict[str, str]]]:
    """What the browser says of each case: verdict, code, and the state of each check."""
    logs: dict[str, int] = {}
    sent = []
    for case in cases:
        log = None if case.log is None else logs.setdefault(text(case.log), len(logs))
        policy = policy_bytes(case.policy).decode() if isinstance(case.policy, SignerPolicy) else case.policy
        sent.append({"bundle": text(case.bundle), "log": log, "policy": policy, "at": case.at, "files": case.files})
    return [tuple(each) for each in page.evaluate(_JUDGE, [sent, list(logs)])]


def run(page: Page, body: str, given: Iterable[Any], *modules: str) -> list[Any]:
    """Evaluate ``body`` over each of ``given``, with all that the modules export in scope as ``m``."""
    script = f"""async ([given, names]) => {{
      const all = await Promise.all(names.map((name) => import(`/static/verify/${{name}}.js`)));
      const m = Object.assign({{}}, ...all);
      const attempt = (each) => {{
        try {{ return ({body})(each); }} catch (error) {{ return {{ refused: error.code ?? error.constructor.name }}; }}
      }};
      return given.map(attempt);
    }}"""
    return page.evaluate(script, [list(given), ["bytes", *modules]])


def chosen(name: str, content: bytes) -> FilePayload:
    """A file as playwright chooses it."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def give(page: Page, *named: tuple[str, bytes], field: str = "The attestation") -> str | None:
    """Choose files, (name, bytes) each, and wait for the verdict."""
    page.get_by_label(field).set_input_files([chosen(*each) for each in named])
    return verdict(page)


def trust(page: Page, text: str, expected: str) -> str:
    """Type whom to trust, wait for that verdict, and give what is said of it."""
    page.get_by_label("Whom do you trust?").fill(text)
    page.wait_for_selector(f"[data-verdict={expected}]")
    return said(page)


def verdict(page: Page) -> str | None:
    """The verdict, once there is one."""
    page.wait_for_selector("[data-verdict]")
    return page.locator("[data-verify]").get_attribute("data-verdict")


def said(page: Page) -> str:
    """The verdict in words."""
    return page.get_by_role("status").inner_text()


def problem(page: Page) -> str | None:
    """What could not be read; empty for nothing."""
    return page.locator("[role=alert]").text_content()


def state(page: Page, check: str) -> str | None:
    """How one check went."""
    return page.locator(f"[data-check={check}]").get_attribute("data-state")
