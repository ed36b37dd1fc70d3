"""`vis submit`: results checked as the YouTube-VIS and OVIS servers read them, then zipped."""

from __future__ import annotations

from vis.cli.arguments import Command
from vis.cli.console import say, say_faults
from vis.errors import EXIT_DAMAGED, EXIT_OK, DataError


def submit(
    results: str, /, *, videos: str, output: str, lenient: bool = False, overwrite: bool = False
) -> int:
    """Check results and write the zip that the YouTube-VIS and OVIS servers take.

    Every record is checked against the videos and categories of the split: ids, number of frames,
    size, masks, scores; and every video: that it has a result, and at most 100 of them. All that
    is wrong is listed with its remedy; then nothing is written and the exit code is 65.

    Args:
        results: The results of all videos of the split, in YouTube-VIS layout (JSON).
        videos: The split's file with its videos and categories, such as valid.json.
        output: The zip to write.
        lenient: Leave faulty records and surplus results out, and write the rest; exit code 1.
        overwrite: Replace the output if it is there.
    """
    from vis.formats.submission import read_submission, write_submission

    submission = read_submission(results, videos)
    problems = len(submission.problems)
    say_faults(submission.problems)
    counts = f"{len(submission.videos.videos)} videos, {problems} problem{'s' * (problems != 1)}"
    if problems and not lenient:
        say(f"{results}: {counts}")
        raise DataError(
            f"there are {problems} problems" if problems > 1 else "there is a problem",
            where=results,
            done="Nothing was written.",
            remedy="Correct what is listed above, or leave it out with --lenient.",
        )
    write_submission(output, submission, overwrite=overwrite)
    say(f"wrote {output}: {counts}, {submission.results} results")
    return EXIT_DAMAGED if problems else EXIT_OK


COMMAND = Command(
    submit,
    """
    vis submit results.json --videos valid.json -o results.zip
    vis submit results.json --videos valid.json -o results.zip --lenient
    """,
)
