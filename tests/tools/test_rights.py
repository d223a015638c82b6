"""Who may write where, by the answer of the Hub."""

import pytest

from publish import namespaces


def account(role, **fine):
    """The answer of the Hub's whoami-v2 as of 2025, as far as it says who may write where."""
    orgs = [{"name": "lab", "roleInOrg": "write"}, {"name": "readers", "roleInOrg": "read"}]
    return {"name": "me", "orgs": orgs, "auth": {"accessToken": {"role": role, **fine}}}


def scope(kind, name, *permissions):
    return {"entity": {"type": kind, "name": name}, "permissions": permissions}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (account("write"), ["me", "lab"]),
        (account("read"), []),
        ({"name": "me"}, []),
        ({"name": "me", "auth": {"type": "oauth"}}, ["me"]),  # as after `hf auth login`: the Hub decides
        (
            account("fineGrained", fineGrained={"scoped": [scope("org", "lab", "repo.content.read", "repo.write")]}),
            ["lab"],
        ),
        (account("fineGrained", fineGrained={"scoped": [scope("user", "me", "repo.content.read")]}), []),
        (account("fineGrained", fineGrained={"scoped": [scope("repo", "me/emo3d", "repo.write")]}), []),
    ],
)
def test_who_may_write_where(answer, expected):
    assert namespaces(answer) == expected
