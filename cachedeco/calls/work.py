"""One claim on its way: claimed, computed, stored and committed, or failed, or let go."""

from __future__ import annotations

import os
import time

from xxhash import xxh3_128_digest

from cachedeco.calls import notices, outputs
from cachedeco.calls.encoding import encode
from cachedeco.calls.flights import computing
from cachedeco.calls.run import run, run_uncached
from cachedeco.errors import InputChangedError, RegistryUnavailableError, StoreError
from cachedeco.events import listening
from cachedeco.files import manifest
from cachedeco.files.check import look
from cachedeco.files.staging import Staging, measure
from cachedeco.keys.content import still_same
from cachedeco.record import MISSING
from cachedeco.registry import owner as owners
from cachedeco.registry.claims import Bytes, Wanted, new_token
from cachedeco.registry.owner import live_tokens
from cachedeco.settings import INLINE_LIMIT
from cachedeco.status import Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cachedeco.calls.flights import Flight
    from cachedeco.calls.plan import Request
    from cachedeco.guard import Guard
    from cachedeco.registry.claims import Attribute, Claim
    from cachedeco.store import Store
    from cachedeco.values.contract import Packed


_OFTEN = 20
UNSTORED_ELSEWHERE = "another process could not store the result; computed again"
"""Why a call that has waited runs its function without the cache."""


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
    token = work.token
    before = computing.set((*computing.get(), flight))
    try:
        # Live before its row exists: otherwise another thread of ours could take the row for a leaked one.
        live_tokens.add(token)
        if not work.claim(above):
            return MISSING
        try:
            work.prepare()
        except OSError as error:
            return run_uncached(request, no_place(request, error))
        work.start()
        try:
            returned = run(request, work.folder)
        except Exception as error:
            work.failed(error)
            raise
        work.stop()
        return work.keep(returned)
    finally:
        # Here, not in a function: a second Ctrl-C may strike any Python function at its first instruction. A
        # row whose token is not live is failed by the next claim or wait of this process.
        ours = token in live_tokens
        live_tokens.discard(token)
        computing.reset(before)
        if ours:  # else this is a fork of the process that claimed
            work.end()


def no_place(request: Request, error: OSError) -> str:
    """Why a function with output files is run without the cache.

    Raises:
        StoreError: it is not to be run then: it has ``on_store_error="raise"``.
    """
    message = f"there is no place for the output ({error})"
    if request.plan.options.on_store_error == "raise":
        name = request.plan.name
        raise StoreError(f"{name}: {message}; it was not run", function=name) from error
    return f"{message}; computed without the cache"


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
        self._wanted: Wanted | None = None
        self._created = 0
        self._sync = (request.plan.options.durability or store.durability) == "full"
        self._staging: Staging | None = None
        self._ended = False
        self._may_be_ready = False
        self._started = 0.0
        self._duration = 0

    def claim(self, above: int | None) -> bool:
        """Claim the key; False when somebody else was faster."""
        request, plan = self._request, self._request.plan
        self._created = time.time_ns() // 1000
        self._wanted = wanted = Wanted(
            key=request.key,
            scope=request.scope,
            uri=request.uri,
            code=request.code,
            label=plan.options.label,
            function=plan.name,
            params=request.described(),
            parts=request.code_parts,
            arguments=request.stored_arguments(self._store.guard, self.token),
        )
        self._claim = self._store.claims.claim(wanted, self.token, plan.form, above)
        if self._claim is None:
            self._ended = True
            request.outrun += 1
            if request.outrun == _OFTEN:
                # Who is faster is found by the next look, and waited for. Where nobody is found again and again, an
                # index of the registry may say what its rows do not.
                self._store.pool.doubt()
            return False
        self._flight.claim = self._claim.id
        self._tell("claim")
        return True

    def prepare(self) -> None:
        """Make the place that output files are written to.

        Raises:
            OSError: it cannot be made.
        """
        output = self._request.plan.output
        if output is not None:
            output.prepare(self._stage().folder, self._request.names or {})

    @property
    def folder(self) -> str | None:
        """Where the function writes its output files; None when it returns a value."""
        return None if self._staging is None else self._staging.folder

    def start(self, at: float | None = None) -> None:
        """Note that the function starts, now or at an earlier reading of `time.perf_counter`."""
        self._started = time.perf_counter() if at is None else at

    def stop(self) -> None:
        """Note that the function has ended, however."""
        self._duration = round((time.perf_counter() - self._started) * 1e6)

    def failed(self, error: Exception) -> None:
        """Record that the function raised."""
        self.stop()
        self._flight.error = error
        self._fail("raised", notices.traceback_text(error))

    def keep(self, value: Any, packed: tuple[str, str, Packed] | None = None) -> Any:
        """Store what the function returned; it reaches the caller even when that fails.

        Args:
            value: what the caller gets.
            packed: serializer, file extension and encoding of the value where it has been encoded already.

        Raises:
            StoreError: it fails, and the function has ``on_store_error="raise"``.
        """
        plan = self._request.plan
        if self.token not in live_tokens:
            # A fork of the process that claimed: the claim is the parent's.
            return value if plan.output is None else plan.output.given(self._stage().folder, value)
        try:
            changed = still_same(self._request.params.values())
            if changed:
                raise InputChangedError(f"the input {changed[0]} changed while it was used")
            return self._keep_value(value, packed) if plan.output is None else self._keep_files(value)
        except Exception as error:  # noqa: BLE001 - whatever it is: it must not cost the caller the value
            return self._unstored(value, error)

    def end(self) -> None:
        """Let go of what is still claimed, however the caller leaves."""
        if not self._ended:
            try:
                let_go = self._store.claims.release(self.token)
            except RegistryUnavailableError:
                # Still WRITE under a token that is not live: the next claim or wait of ours fails it, or who waits.
                owners.end_later(self._store.pool)
            else:
                if let_go:
                    self._tell("fail", reason="abandoned")
                if let_go and self._staging is not None:
                    self._staging.discard()
        owners.resign(self._store.pool)

    def _stage(self) -> Staging:
        if self._staging is None:
            key, token = self._request.key.hex(), self.token.hex()
            final = self._store.item_folder(key, self._claimed().version, token)
            self._staging = Staging(final, self._store.folder, self._store.trust)
        return self._staging

    def _keep_value(self, value: Any, packed: tuple[str, str, Packed] | None) -> Any:
        guard = self._store.guard
        if packed is None:
            packed = encode(self._store, self._request, value)
        name, ext, encoding = packed
        form = self._request.plan.form
        inline = encoding.inline(INLINE_LIMIT)
        if inline is not None:
            stored = Bytes(
                form=form, serializer=name, size=len(inline), digest=xxh3_128_digest(inline), inline=inline
            )
            if guard is not None:
                self._sign(guard, stored, guard.hash(inline))
        else:
            staging = self._stage()
            filename = "value" + ext
            content = None if guard is None else guard.hash()
            with staging.create(filename, content) as file:
                encoding.write(file)  # type: ignore[arg-type]  # as far as writing goes it is a BinaryIO
            staging.publish(sync=self._sync)
            stored = Bytes(
                form=form,
                serializer=name,
                size=file.size,
                digest=file.digest(),
                signature=look(os.path.join(staging.final, filename))[1],
                filename=filename,
                compression=encoding.compression,
            )
            if guard is not None:
                self._sign(guard, stored, content)
        if not self._commit(value, stored) and self._staging is not None:
            self._staging.discard()
        return value

    def _keep_files(self, names: dict[str, str]) -> Any:
        staging, output = self._stage(), self._request.plan.output
        # What a hit looks at: a function may have left other files beside its one output.
        place = os.path.join(staging.folder, names.get("", ""))
        size, digest = measure(place)
        ext = os.path.splitext(place)[1].removeprefix(".") if os.path.isfile(place) else ""
        filename, form = outputs.recorded(names), self._request.plan.form
        stored = Bytes(form=form, size=size, digest=digest, filename=filename, ext=ext or None)
        if self._store.guard is not None:
            self._sign(self._store.guard, stored, place)
        staging.publish(sync=self._sync)
        stored.signature = look(os.path.join(staging.final, names.get("", "")))[1]
        given = None if output is None else output.given(staging.final, names)
        # The caller gets these paths even if the claim was lost: nobody else writes there.
        self._commit(given, stored)
        return given

    def _sign(self, guard: Guard, stored: Bytes, content: Any) -> None:
        from cachedeco.calls.guarded import sign

        sign(guard, self._request, self._claimed(), stored, content)

    def _commit(self, value: Any, stored: Bytes) -> bool:
        """Mark the claim READY; False when it is not ours any more."""
        claim, request = self._claimed(), self._request
        attributes = _attributes(request, value)
        if self._staging is not None:
            self._describe(self._staging, stored, attributes)
        self._may_be_ready = True
        figures = {"duration": self._duration, "attempts": request.attempts}
        try:
            mine = self._store.claims.commit(claim, stored, attributes, durable=self._sync, **figures)
        except RegistryUnavailableError:
            # It may have happened all the same; the row alone knows.
            if self._store.claims.outcome(claim.id).status != Status.READY:
                self._may_be_ready = False
                raise
            mine = True
        self._ended = True
        if mine:
            self._tell("commit", seconds=self._duration / 1e6, size=stored.size)
            # Here, where an error or a clean-up that takes a while keeps neither the value nor an event loop.
            self._store.grown(stored.size or 0)
        return mine

    def _describe(self, staging: Staging, stored: Bytes, attributes: list[Attribute]) -> None:
        """Put the manifest beside the files, before the registry knows of them."""
        wanted, claim = self._wanted, self._claimed()
        if wanted is None:
            return
        described = manifest.Manifest(
            key=wanted.key,
            uri=wanted.uri,
            version=claim.version,
            status=int(Status.READY),
            scope=wanted.scope,
            code=wanted.code,
            token=claim.token,
            form=stored.form,
            serializer=stored.serializer,
            compression=stored.compression,
            size=stored.size,
            digest=stored.digest,
            mac=stored.mac,
            filename=stored.filename,
            created=self._created,
            ended=time.time_ns() // 1000,
            duration=self._duration,
            attempts=self._request.attempts,
            pinned=0,
            function=wanted.function,
            params=wanted.params,
            ext=stored.ext,
            label=wanted.label,
            attributes=attributes,
        )
        manifest.write(staging.final, described, new=True, sync=self._sync)
        if self._sync:
            staging.settle(self._store.folder)

    def _unstored(self, value: Any, error: Exception) -> Any:
        plan = self._request.plan
        self._flight.unstorable = True
        given = value
        if plan.output is not None:
            staging = self._stage()
            folder = staging.final if os.path.isdir(staging.final) else staging.folder
            given = plan.output.given(folder, value)
            self._staging = None  # the files are the caller's from now on
        self._fail("store", notices.traceback_text(error))
        if self._staging is not None and not self._may_be_ready:
            self._staging.discard()
        message = f"the result was computed, but could not be stored: {error or type(error).__name__}"
        if plan.options.on_store_error == "raise":
            raise StoreError(
                f"{plan.name}: {message}; it is the attribute `value` of this error",
                value=given,
                function=plan.name,
            ) from error
        notices.warn_once(plan.name, type(error).__name__, f"{message}; it was returned")
        return given

    def _tell(self, kind: str, **known: Any) -> None:
        if listening:
            notices.tell(kind, self._store, self._request, version=self._claimed().version, **known)

    def _claimed(self) -> Claim:
        if self._claim is None:
            raise RuntimeError("the work has no claim yet")
        return self._claim

    def _fail(self, cause: str, error: str) -> None:
        if self.token not in live_tokens:
            return  # a fork of the process that claimed
        figures = {"duration": self._duration, "attempts": self._request.attempts}
        try:
            failed = self._store.claims.fail(self._claimed(), cause, error, **figures)
        except RegistryUnavailableError:
            return  # `end` lets it go, or the next claim of this process does
        self._ended = True
        if failed:
            self._tell("fail", seconds=self._duration / 1e6, reason=cause)
        if failed and self._staging is not None:
            self._staging.discard()


def _attributes(request: Request, value: Any) -> list[Attribute]:
    """The attributes of a result; a mistake in them does not cost the result."""
    try:
        return request.plan.attributes(value, request.arguments)
    except Exception as error:  # noqa: BLE001 - the user's function may raise anything
        message = f"attrs=... raised {type(error).__name__}: {error}; the result is stored without attributes"
        notices.warn_once(request.plan.name, "attrs", message)
        return []
