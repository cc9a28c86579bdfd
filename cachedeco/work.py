"""One claim on its way: claimed, computed, stored and committed, or failed, or let go."""

from __future__ import annotations

import os
import time

from cachedeco import notices
from cachedeco.errors import InputChangedError, MissingOutputError, RegistryUnavailableError
from cachedeco.files.staging import Staging, digest_of
from cachedeco.keys.content import still_same
from cachedeco.plan import OUTPUT_PARAMETER
from cachedeco.record import MISSING
from cachedeco.registry.claims import Bytes, Wanted, new_token
from cachedeco.registry.owner import live_tokens
from cachedeco.settings import INLINE_LIMIT
from cachedeco.status import Status
from cachedeco.values import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.flights import Flight
    from cachedeco.plan import Request
    from cachedeco.registry.claims import Claim
    from cachedeco.store import Store


def compute(store: Store, request: Request, flight: Flight, above: int | None) -> Any:
    """Claim, run the function, store what it returns.

    Args:
        store: the cache folder.
        request: the call.
        flight: of this thread; told how the function ended.
        above: do nothing when there is a READY item above this version by now; None to compute regardless.

    Returns:
        What the caller gets, or MISSING when somebody else was faster: look again.
    """
    work = Work(store, request, flight)
    # Live before its row exists: otherwise another thread of ours could take the row for a leaked one.
    live_tokens.add(work.token)
    try:
        if not work.claim(above):
            return MISSING
        try:
            work.prepare()
        except OSError as error:
            return run_uncached(request, f"there is no place for the output ({error}); computed without the cache")
        return work.keep(work.run())
    finally:
        work.end()


def run_uncached(request: Request, why: str) -> Any:
    """Run the function without storing anything; its output file goes to a temporary folder.

    Args:
        request: the call.
        why: said once per function.
    """
    plan = request.plan
    notices.warn_once(plan.name, why.partition("(")[0], why)
    request.entered = True
    if request.file_name is None:
        return plan.function(*request.args, **request.kwargs)
    import tempfile
    from pathlib import Path

    return Path(_run_for_file(request, tempfile.mkdtemp(prefix="cachedeco-")))


class Work:
    """A claim and what belongs to it.

    Attributes:
        token: proves the claim; known before the claim exists.
    """

    def __init__(self, store: Store, request: Request, flight: Flight) -> None:
        self.token = new_token()
        self._store = store
        self._request = request
        self._flight = flight
        self._claim: Claim | None = None
        self._staging: Staging | None = None
        self._ended = False
        self._may_be_ready = False
        self._started = 0.0
        self._duration = 0

    def claim(self, above: int | None) -> bool:
        """Claim the key; False when somebody else was faster."""
        request, plan = self._request, self._request.plan
        wanted = Wanted(
            key=request.key,
            scope=request.scope,
            uri=request.uri,
            code=request.code,
            label=plan.options.label,
            function=plan.name,
            params=request.described(),
            parts=request.code_parts,
        )
        self._claim = self._store.claims.claim(wanted, self.token, plan.form, above)
        if self._claim is None:
            self._ended = True
        return self._claim is not None

    def prepare(self) -> None:
        """Make the place that an output file is written to.

        Raises:
            OSError: it cannot be made.
        """
        if self._request.file_name is not None:
            self._stage()

    def run(self) -> Any:
        """Run the function; a failure is recorded before it is raised."""
        request = self._request
        request.entered = True
        self._started = time.perf_counter()
        try:
            if request.file_name is None:
                return request.plan.function(*request.args, **request.kwargs)
            return _run_for_file(request, self._stage().folder)
        except Exception as error:
            self._stop_clock()
            self._flight.error = error
            self._fail("raised", _traceback(error))
            raise
        finally:
            self._stop_clock()

    def keep(self, value: Any) -> Any:
        """Store what the function returned; it reaches the caller even when that fails."""
        if self.token not in live_tokens:
            return value  # a fork of the process that claimed: the claim is the parent's
        changed = still_same(self._request.params.values())
        if changed:
            return self._unstored(value, InputChangedError(f"the input {changed[0]} changed while it was used"))
        try:
            return self._keep_value(value) if self._request.file_name is None else self._keep_file(value)
        except Exception as error:  # noqa: BLE001 - whatever it is: it must not cost the caller the value
            return self._unstored(value, error)

    def end(self) -> None:
        """Let go of what is still claimed, however the caller leaves."""
        if self.token not in live_tokens:
            return  # a fork of the process that claimed
        # First: should a signal strike below, the next claim of this process finds the row without a writer.
        live_tokens.discard(self.token)
        if self._ended:
            return
        try:
            let_go = self._store.claims.release(self.token)
        except RegistryUnavailableError:
            return  # still WRITE under a token that is not live: the next claim or wait of ours fails it
        if let_go and self._staging is not None:
            self._staging.discard()

    def _stage(self) -> Staging:
        if self._staging is None:
            key, token = self._request.key.hex(), self.token.hex()
            self._staging = Staging(self._store.item_folder(key, self._claimed().version, token))
        return self._staging

    def _stop_clock(self) -> None:
        self._duration = round((time.perf_counter() - self._started) * 1e6)

    def _keep_value(self, value: Any) -> Any:
        serializer = table.choose(value)
        packed = serializer.pack(value)
        inline = packed.inline(INLINE_LIMIT)
        if inline is not None:
            stored = Bytes(form="value", serializer=serializer.name, size=len(inline), inline=inline)
        else:
            staging = self._stage()
            filename = "value" + serializer.ext
            with staging.create(filename) as file:
                packed.write(file)  # type: ignore[arg-type]  # as far as writing goes it is a BinaryIO
            staging.publish()
            stored = Bytes(
                form="value", serializer=serializer.name, size=file.size, digest=file.digest(), filename=filename
            )
        if not self._commit(value, stored) and self._staging is not None:
            self._staging.discard()
        return value

    def _keep_file(self, path: str) -> Any:
        from pathlib import Path

        staging = self._stage()
        size, digest = digest_of(path)
        staging.publish()
        filename = os.path.basename(path)
        final = Path(staging.final, filename)
        # The caller gets this path even if the claim was lost: nobody else writes there.
        self._commit(final, Bytes(form="file", size=size, digest=digest, filename=filename))
        return final

    def _commit(self, value: Any, stored: Bytes) -> bool:
        """Mark the claim READY; False when it is not ours any more."""
        claim, request = self._claimed(), self._request
        attributes = request.plan.attributes(value, request.arguments)
        self._may_be_ready = True
        try:
            mine = self._store.claims.commit(claim, stored, attributes, duration=self._duration, attempts=1)
        except RegistryUnavailableError:
            # It may have happened all the same; the row alone knows.
            if self._store.claims.outcome(claim.id).status != Status.READY:
                self._may_be_ready = False
                raise
            mine = True
        self._ended = True
        return mine

    def _unstored(self, value: Any, error: Exception) -> Any:
        plan = self._request.plan
        self._flight.unstorable = True
        notices.warn_once(
            plan.name,
            type(error).__name__,
            f"the result was computed and returned, but could not be stored: {error or type(error).__name__}",
        )
        given = value
        if self._request.file_name is not None:
            from pathlib import Path

            staging = self._stage()
            given = Path(value if os.path.exists(value) else os.path.join(staging.final, os.path.basename(value)))
            self._staging = None  # the file is the caller's from now on
        self._fail("store", _traceback(error))
        if self._staging is not None and not self._may_be_ready:
            self._staging.discard()
        return given

    def _claimed(self) -> Claim:
        if self._claim is None:
            raise RuntimeError("the work has no claim yet")
        return self._claim

    def _fail(self, cause: str, error: str) -> None:
        if self.token not in live_tokens:
            return  # a fork of the process that claimed
        try:
            failed = self._store.claims.fail(self._claimed(), cause, error, duration=self._duration, attempts=1)
        except RegistryUnavailableError:
            return  # `end` lets it go, or the next claim of this process does
        self._ended = True
        if failed and self._staging is not None:
            self._staging.discard()


def _run_for_file(request: Request, folder: str) -> str:
    """Run a function that writes its output into a folder; returns the file's path."""
    from pathlib import Path

    name = request.file_name or ""
    path = os.path.join(folder, name)
    request.plan.function(*request.args, **{**request.kwargs, OUTPUT_PARAMETER: Path(path)})
    if not os.path.isfile(path):
        raise MissingOutputError(
            f"{request.plan.name} returned without writing its output {name!r}; "
            f"write to the path that it gets as `{OUTPUT_PARAMETER}`",
            filename=name,
        )
    return path


def _traceback(error: BaseException) -> str:
    """The traceback as text, without this package's own frames at its top."""
    import traceback

    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_globals.get("__name__", "").startswith("cachedeco."):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame or error.__traceback__))
