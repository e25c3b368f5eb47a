"""Media relays in the admin: for the superuser alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, Clinic, User
from accounts.policy import Role
from tests import factories
from visits.room import nodes
from visits.room.models import Encounter, RelayNode

LIST = "admin:room_relaynode_changelist"


@pytest.fixture
def superuser(clinic: Clinic) -> User:
    return factories.make_member(clinic, Role.CLINIC_ADMIN, is_staff=True, is_superuser=True)


@pytest.fixture
def node(db: Any) -> RelayNode:
    return RelayNode.objects.create(
        pk="relay-1.abc", seen_at=timezone.now(), address="192.0.2.7:7000", load=0.42, rooms=3, peers=6, capacity=100
    )


def act(client: Client, action: str, *rows: RelayNode) -> str:
    data = {"action": action, "_selected_action": [row.pk for row in rows], "confirmed": "yes"}
    return client.post(reverse(LIST), data, follow=True).content.decode()


def test_the_superuser_sees_how_they_are(verified: Any, superuser: User, node: RelayNode) -> None:
    page = verified(superuser).get(reverse(LIST)).content.decode()

    assert 'value="0.42">42%</meter>' in page
    assert "relay-1.abc" in page
    assert "seconds ago" in page or "second ago" in page
    assert verified(superuser).get(reverse("admin:room_relaynode_change", args=[node.pk])).status_code == 200


def test_one_that_is_gone_carries_nothing(verified: Any, superuser: User, node: RelayNode) -> None:
    nodes.note({}, dead={node.pk})
    RelayNode.objects.update(seen_at=timezone.now() - timedelta(minutes=5, seconds=20))
    page = verified(superuser).get(reverse(LIST)).content.decode().replace("\xa0", " ")

    assert "5 minutes ago" in page
    assert 'value="0.0">0%</meter>' in page
    assert 'class="field-rooms">0</td>' in page
    assert 'class="field-peers">0</td>' in page


@pytest.mark.parametrize("who", ["clinic_admin", "auditor", "clinician", "front_desk", "stranger"])
def test_nobody_else_does(request: Any, verified: Any, node: RelayNode, who: str) -> None:
    client = verified(request.getfixturevalue(who))

    for url in (reverse(LIST), reverse("admin:room_relaynode_change", args=[node.pk])):
        answer = client.get(url)
        assert answer.status_code in {302, 403, 404}
        assert "relay-1" not in answer.content.decode().replace(url, "")
    assert client.post(reverse(LIST), {"action": "drain", "_selected_action": [node.pk]}).status_code in {302, 403, 404}
    index = client.get(reverse("admin:index"), follow=True).content.decode()
    assert reverse(LIST) not in index
    node.refresh_from_db()
    assert node.drained_at is None


def test_a_node_is_drained_and_taken_back_on_the_trail(verified: Any, superuser: User, node: RelayNode) -> None:
    client = verified(superuser)

    page = act(client, "drain", node)
    act(client, "drain", node)

    node.refresh_from_db()
    assert "They get no new visits." in page
    assert node.state == RelayNode.State.DRAINING
    act(client, "take_back", node)
    node.refresh_from_db()
    assert node.state == RelayNode.State.ACTIVE
    trail = AuditEvent.objects.filter(entity_id=node.pk).order_by("id")
    assert list(trail.values_list("subtype", "user")) == [
        ("relay.drain", superuser.pk),
        ("relay.take-back", superuser.pk),
    ]


def test_its_visits_move_at_once(verified: Any, superuser: User, node: RelayNode, encounter: Encounter) -> None:
    nodes.place(encounter)
    client = verified(superuser)

    page = act(client, "move_now", node)
    assert "1 visit stays" in page

    RelayNode.objects.create(pk="relay-2.abc", seen_at=timezone.now(), capacity=100)
    page = act(client, "move_now", node)

    assert "1 visit moves" in page
    assert nodes.node_of(encounter.pk) == "relay-2.abc"
    detail = AuditEvent.objects.filter(subtype="relay.move").order_by("-id").values_list("detail", flat=True)
    assert list(detail) == [{"moved": 1, "stayed": 0}, {"moved": 0, "stayed": 1}]


@pytest.mark.parametrize("what", ["add", "delete"])
def test_rows_are_nobodys_to_make_or_delete(verified: Any, superuser: User, node: RelayNode, what: str) -> None:
    url = reverse(f"admin:room_relaynode_{what}", args=[node.pk] if what == "delete" else [])

    assert verified(superuser).post(url, {"post": "yes"}).status_code == 403
