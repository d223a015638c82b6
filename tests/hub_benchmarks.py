"""What the Hub of `hub.py` makes of `eval.yaml` and `.eval_results/*.yaml`, after huggingface.co/docs/hub/eval-results.

Not documented, and so chosen here: of several tasks, the leaderboard is of the first.
"""

import yaml

from hub_repositories import RefusedError

FILE, FOLDER = "eval.yaml", ".eval_results/"


def check_benchmark(text):
    """What the Hub demands when `eval.yaml` is pushed."""
    try:
        benchmark = yaml.safe_load(text)
        tasks = benchmark["tasks"]
        if not (benchmark["name"] and benchmark["description"] and tasks and all(task["id"] for task in tasks)):
            raise ValueError
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise RefusedError(400, "eval.yaml: expected name, description and tasks with an id each") from error
    return benchmark


def results(repository):
    """Files of results of a model, on main and in open pull requests, as `evalResults` has them."""
    heads = [(None, repository.branches["main"])]
    heads += [(int(ref.rpartition("/")[2]), head) for ref, head in repository.pulls.items()]
    for number, head in heads:
        for path, file in head.files.items():
            if not (path.startswith(FOLDER) and path.endswith(".yaml")):
                continue
            if number and repository.branches["main"].files.get(path) == file:
                continue
            about = {"filename": path} | ({"pullRequest": number} if number else {})
            try:
                for entry in yaml.safe_load(file.path.read_text("utf-8")):
                    {"id", "task_id"} <= entry["dataset"].keys() and entry["value"] + 0
                    yield about | {"data": entry}
            except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
                yield about | {"error": f"expected a list of results: {error!r}"}


def leaderboard(repositories, dataset, all_models):
    """Entries of a benchmark, the highest first; models on a base model only where asked for."""
    file = dataset.branches["main"].files.get(FILE)
    if file is None:
        raise RefusedError(404, "This dataset has no leaderboard")
    task = check_benchmark(file.path.read_text("utf-8"))["tasks"][0]["id"]
    entries = []
    for repository in repositories:
        based = repository.branches["main"].card_data().get("base_model") if repository.kind == "models" else True
        if repository.kind != "models" or repository.private or (based and not all_models):
            continue
        for result in results(repository):
            entry = result.get("data")
            if entry and (entry["dataset"]["id"], entry["dataset"].get("task_id")) == (dataset.id, task):
                about = {"modelId": repository.id, "value": entry["value"], "filename": result["filename"]}
                about |= {name: entry[name] for name in ("source", "notes") if name in entry}
                about |= {"pullRequest": result["pullRequest"]} if "pullRequest" in result else {}
                author = {"type": "user", "name": repository.id.split("/")[0]}
                entries.append(about | {"verified": False, "author": author})
    entries.sort(key=lambda entry: -entry["value"])
    return [{"rank": rank, **entry} for rank, entry in enumerate(entries, 1)]
