"""`emo3d judge`: a vision-language model judges a study."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from emo3d.cli.app import app, console
from emo3d.files import check_output, check_output_folder
from emo3d_lab.cli import options

KEY = "EMO3D_JUDGE_KEY"


@app.command(
    epilog="Examples: [bold]emo3d judge study --model Qwen/Qwen2.5-VL-72B-Instruct --out judgements.csv[/] · "
    "[bold]emo3d judge study --model my-model --base-url http://127.0.0.1:8080/v1 --out judgements.csv[/] · "
    "[bold]emo3d judge study --model HuggingFaceTB/SmolVLM2-2.2B-Instruct --local --device cuda --out judgements.csv[/]"
)
def judge(
    study: Annotated[Path, typer.Argument(help="Folder that emo3d study made.")],
    model: Annotated[str, typer.Option(help="A vision-language model: its id on the Hub, or its name on a server.")],
    out: Annotated[Path, typer.Option(help="Write the judgements as .csv, marked as a machine's.")],
    provider: Annotated[
        str | None, typer.Option(help="Inference provider of the Hub.", show_default="the first of yours")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help=f"Server of the chat-completions protocol instead; its key is in {KEY}.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Load the model here, by transformers.")] = False,
    device: options.Device = "cpu",
    revision: Annotated[
        str | None, typer.Option(help="Of the model, for its name as a judge; with --local the one that is loaded.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest answer.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of an answer; models that think first need more.")] = 1024,
    retries: Annotated[int, typer.Option(min=0, help="How often is asked again after an unusable answer.")] = 2,
    schema: Annotated[bool, typer.Option(help="Give a server the JSON schema of answers.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask of so many pairs.", show_default="all")] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Questions asked at a time; not with --local.")] = 4,
    answers: Annotated[
        Path | None,
        typer.Option(help="Folder of answers, from which a killed run goes on.", show_default="beside OUT"),
    ] = None,
) -> None:
    """Have a vision-language model judge a study: which of two faces fits better, asked in both orders."""
    check_output(out, (".csv",))
    folder = check_output_folder(answers or out.with_name(f"{out.stem}-answers"))
    if bool(provider) + bool(base_url) + local > 1:
        raise ValueError("expected one of --provider, --base-url and --local")

    from emo3d_lab.judging.machine import MachineJudge, judge_pairs, study_pairs
    from emo3d_lab.judging.study import Study

    questions = Study.load(study)
    chat_model: Any
    if local:
        from transformers import pipeline

        chat_model = pipeline("image-text-to-text", model=model, revision=revision, device=device)
    else:
        from huggingface_hub import InferenceClient

        where: dict[str, Any] = {"model": model, "provider": provider}
        if base_url:  # which gets no token of the Hub
            where = {"base_url": base_url, "api_key": os.environ.get(KEY, "-")}
        chat_model = InferenceClient(**where)
    machine = MachineJudge(
        chat_model,
        model,
        revision=revision,
        temperature=temperature,
        max_tokens=max_tokens,
        retries=retries,
        json_schema=schema,
        cache=folder,
    )
    verdicts = judge_pairs(study_pairs(questions, machine.name, limit), machine, parallel=parallel)
    verdicts.save(out)
    console.print(str(verdicts), highlight=False, markup=False, soft_wrap=True)
    console.print(f"wrote {out}; the answers are in {folder}")
