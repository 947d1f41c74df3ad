"""Predicts files, each once: what is done and verified is skipped, what is not is made whole, its receipt last."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from models.errors import ConfigError
from models.object_store import ObjectMissing
from models.predictor import Predictor
from models.store import fetch
from pipelines.batch.claim import Claim, refuse_foreign, remove_superseded
from pipelines.batch.order import FileRefused, Order
from pipelines.batch.place import Place, hash_of
from pipelines.batch.receipt import Receipt, done, output_name, receipt_name, write_receipt
from pipelines.batch.table import readable
from pipelines.batch.work import Work

Say = Callable[[str], None]


def load(order: Order, scratch: Path) -> Predictor:
    """The bundle of an order, every hash checked, its golden rows predicted.

    Raises:
        ConfigError: it is another model's.
        BundleError, StoreError: it is not that bundle, or cannot be had.
    """
    bundle = fetch(order.bundle, scratch / "bundle", order.digest)
    if bundle.manifest.model != order.model:
        raise ConfigError([f"{order.bundle}: holds model {bundle.manifest.model!r}, asked for is {order.model!r}"])
    predictor = Predictor(bundle)
    predictor.self_test()
    return predictor


def predict_files(
    source: Place, names: Sequence[str], output: Place, *, order: Order, predictor: Predictor, say: Say
) -> list[Receipt]:
    """A receipt for each file, of now or of before.

    Raises:
        FileRefused: some could not be predicted, with the reasons; all others are done.
        StoreError: the store does not answer; what was done until then is skipped the next time.
    """
    receipts, refused = [], []
    for number, name in enumerate(names, start=1):
        try:
            receipt, made = predict_file(source, name, output, order=order, predictor=predictor, say=say)
        except FileRefused as err:
            refused.append(str(err))
            say(f"{number} of {len(names)}: {name}: refused: {str(err).splitlines()[0]}")
            continue
        receipts.append(receipt)
        aside = f", {receipt.refused_rows:,} set aside in {receipt.refused}" if receipt.refused_rows else ""
        took = f"{receipt.seconds:.1f} s, {receipt.rows_per_second:,.0f} rows/s" if made else "done before, verified"
        say(f"{number} of {len(names)}: {name}: {receipt.rows:,} rows{aside}: {took}")
    if refused:
        raise FileRefused("\n".join(refused))
    return receipts


def predict_file(
    source: Place, name: str, output: Place, *, order: Order, predictor: Predictor, say: Say = lambda _: None
) -> tuple[Receipt, bool]:
    """The receipt of one file, and whether it was made now.

    Raises:
        FileRefused: it cannot be read, lacks columns, or has rows that are refused where that fails the file; or its
            predictions would be written over a file that is not theirs.
    """
    mine, made = Claim(source.uri, name), output_name(name, order.layout)
    with output.turn(receipt_name(name)):
        with ExitStack() as held:
            path, sha256 = _held(source, name, held)
            if (former := done(output, name, sha256, order)) is not None:
                return former, False
            with output.turn(made):  # another run may make the same from a file of another name
                refuse_foreign(source, output, made, mine)
                receipt = Work(path, name, sha256, source.uri, output, order, predictor, say).run()
        # only here: had the input changed while it was read, leaving it would have raised
        remove_superseded(output, made, mine)
        write_receipt(output, receipt)
    return receipt, True


def _held(source: Place, name: str, held: ExitStack) -> tuple[Path, str]:
    """The file on this machine as long as `held` lasts, and the hash of its bytes.

    Raises:
        FileRefused: it is not there, as at the end of a link, or may not be read.
    """
    try:
        path = held.enter_context(source.local(name))
    except (ObjectMissing, PermissionError) as err:
        raise FileRefused(f"{name}: cannot be had ({err}); mend it, or take it out of the input") from err
    with readable(name):
        return path, hash_of(path)
