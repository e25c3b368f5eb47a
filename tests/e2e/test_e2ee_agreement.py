"""How pages agree on words and keys, whatever the line between them does: modules by themselves, in real browsers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

WORLD = (Path(__file__).parent / "agreement.js").read_text()

STAGE = (
    """async () => {
  const agreement = await import("/static/js/room/e2ee/agreement.js");
  const {Agreement, DETOUR, HANGS_AFTER, OLD_KEYS_FOR, STALLED_AFTER, SWITCH_WITHIN} = agreement;
  const {Round} = await import("/static/js/room/e2ee/round.js");
  const {ratchet, STEPS} = await import("/static/js/room/e2ee/sframe.js");
  const {Identity, base64, digest, pageOf} = await import("/static/js/room/e2ee/identity.js");
  const changed = (letter, how) => {
    const value = JSON.parse(letter.text);
    how(value);
    return {...letter, text: JSON.stringify(value)};
  };
"""
    + WORLD
    + """
  return await (%s)();
}"""
)


@pytest.fixture
def page(person: Callable[..., Page]) -> Page:
    page = person("anybody")
    page.goto("/signin/")
    return page


def play(page: Page, scenario: str) -> Any:
    return page.evaluate(STAGE.replace("%s", scenario))


# --- the line --------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [0, 0.3, 0.6])
def test_six_pages_agree_over_a_bad_line(page: Page, loss: float) -> None:
    assert play(
        page,
        f"""async () => {{
          const outcome = [];
          for (const seed of [1, 2, 3]) {{
            const world = new World(seed, {{loss: {loss}}});
            await world.enter("a", "b", "c", "d", "e", "f");
            outcome.push(await world.agree());
          }}
          return outcome;
        }}""",
    ) == [True, True, True]


def test_pages_fall_silent_when_all_have_all(page: Page) -> None:
    before, after = play(
        page,
        """async () => {
          const world = new World(4);
          await world.enter("a", "b", "c");
          await world.agree();
          await world.run(20_000);
          const before = world.said;
          await world.run(20_000);
          return [before, world.said];
        }""",
    )

    assert before == after


def test_people_come_go_and_reload_at_any_moment(page: Page) -> None:
    """Rounds overlap, and each page hears of it at another time."""
    assert (
        play(
            page,
            """async () => {
          const outcome = [];
          for (const seed of [5, 6, 7, 8]) {
            const world = new World(seed);
            const dice = world.dice;
            await world.enter("a", "b");
            for (let i = 0; i < 20; i += 1) {
              const seat = "abcdef"[Math.floor(dice() * 6)];
              if (!world.people.has(seat) || dice() < 0.3) world.people.set(seat, await world.open(seat));
              else if (world.people.size > 2) world.people.delete(seat);
              for (const each of world.people.keys()) if (dice() < 0.7) await world.meet(each);
              await world.run(dice() * 1500);
            }
            await world.meet();
            outcome.push(await world.agree());
          }
          return outcome;
        }""",
        )
        == [True] * 4
    )


def test_who_vanishes_in_the_middle_holds_nobody_up(page: Page) -> None:
    assert play(
        page,
        """async () => {
          const world = new World(9, {loss: 0});
          await world.enter("a", "b", "c");
          await world.run(100);  // in the middle of the round
          world.mangle = (letter) => (letter.from === "c" ? null : letter);
          await world.run(3000);
          const hung = world.people.get("a").state.mode;
          await world.leave("c");
          return [hung, await world.agree()];
        }""",
    ) == ["agreeing", True]


def test_an_agreement_that_does_not_come_about_is_shown_and_mends_itself(page: Page) -> None:
    assert play(
        page,
        """async () => {
          const world = new World(10, {loss: 1});
          await world.enter("a", "b");
          await world.run(STALLED_AFTER + 1000);
          const mode = world.people.get("a").state.mode;
          world.loss = 0;
          return [mode, await world.agree()];
        }""",
    ) == ["broken", True]


def test_who_is_not_in_the_call_yet_has_not_failed(page: Page) -> None:
    """Nobody hears them before that, however long it takes."""
    assert play(
        page,
        """async () => {
          const world = new World(32, {loss: 1});
          await world.enter("a", "b");
          const a = world.people.get("a");
          await a.agreement.meet("a", ["a", "b"], {isInCall: false});
          await world.run(2 * STALLED_AFTER);
          const before = a.state.mode;
          await world.meet();
          await world.run(STALLED_AFTER - 1000);
          const soon = a.state.mode;
          await world.run(2000);
          return [before, soon, a.state.mode];
        }""",
    ) == ["agreeing", "agreeing", "broken"]


# --- words -----------------------------------------------------------------------------------------


def test_words_change_with_the_people_and_say_why(page: Page) -> None:
    said = play(
        page,
        """async () => {
          const world = new World(11);
          const said = [];
          const reason = () => world.people.get("a").state.reason;
          const note = async () => said.push([await world.agree(), reason(), world.words("a")]);
          await world.enter("a", "b"); await note();
          await world.enter("c"); await note();
          await world.leave("c"); await note();
          await world.enter("b"); await note();
          return said;
        }""",
    )

    assert [each[:2] for each in said] == [[True, ""], [True, "joined"], [True, "left"], [True, "new-key"]]
    words = [each[2] for each in said]
    assert words[0] == words[2], "the same pages have the same words again"
    assert len(set(words)) == 3


def test_the_same_page_on_a_new_connection_keeps_words_and_keys(page: Page) -> None:
    same = play(
        page,
        """async () => {
          const world = new World(12);
          await world.enter("a", "b");
          await world.agree();
          const look = () => [world.words("a"), world.people.get("a").sends.key, world.people.get("b").sends.key];
          const before = look();
          world.people.get("b").epoch += 1;
          await world.people.get("b").agreement.again();
          await world.run(5000);
          const after = look();
          // The relay lost them for a while, so that the others were alone.
          const b = world.people.get("b");
          world.people.delete("b"); await world.meet(); await world.run(2000);
          const alone = world.people.get("a").state.mode;
          world.people.set("b", b); b.epoch += 1; await world.meet(); await world.agree();
          return [before.join() === after.join(), alone, world.agreed, world.words("a") === before[0]];
        }""",
    )

    assert same == [True, "alone", True, True]


def test_both_languages_are_named_when_the_room_has_both(page: Page) -> None:
    words = play(
        page,
        """async () => {
          const {say} = await import("/static/js/room/e2ee/words.js");
          const world = new World(13);
          world.people.set("a", await world.open("a", "en"));
          world.people.set("b", await world.open("b", "es"));
          await world.meet();
          await world.agree();
          const shown = (seat, language) => {
            const {places, languages} = world.people.get(seat).state;
            return say(places, language, languages);
          };
          return [shown("a", "en"), shown("b", "es"), say([0, 255], "en"), say([0, 255], "es")];
        }""",
    )

    assert [set(each.split(" / ")) for each in words[0]] == [set(each.split(" / ")) for each in words[1]]
    assert words[2:] == [["airplane", "zebra"], ["avión", "cebra"]]


def test_the_words_are_unlike_each_other(page: Page) -> None:
    english, spanish = page.evaluate(
        """async () => {
          const {say} = await import("/static/js/room/e2ee/words.js");
          const all = Array.from({length: 256}, (_, i) => i);
          return [say(all, "en"), say(all, "es")];
        }"""
    )

    assert len(set(english)) == len(set(spanish)) == 256
    for words in (english, spanish):
        assert not [(a, b) for a in words for b in words if a < b and differ_by_a_letter(a, b)]


def differ_by_a_letter(a: str, b: str) -> bool:
    if abs(len(a) - len(b)) > 1:
        return False
    short, long = sorted((a, b), key=len)
    if len(short) == len(long):
        return sum(x != y for x, y in zip(short, long, strict=True)) == 1
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


# --- who may read ----------------------------------------------------------------------------------


def test_who_left_cannot_read_on(page: Page) -> None:
    assert (
        play(
            page,
            """async () => {
          const outcome = [];
          for (const seed of [14, 15]) {
            const world = new World(seed);
            await world.enter("a", "b", "c");
            await world.agree();
            const gone = await world.leave("c");
            const before = [...world.people.values()].map(({used}) => used.length);
            await world.agree();
            await world.run(5000);
            const later = [...world.people.values()].flatMap(({used}, i) => used.slice(before[i]));
            const reach = await world.reach(gone.ever);
            outcome.push([later.length >= 2, later.some((key) => reach.has(key))]);
          }
          return outcome;
        }""",
        )
        == [[True, False]] * 2
    )


def test_who_leaves_while_the_others_go_without_them_cannot_read_on(page: Page) -> None:
    """The round stays the same then, but the key that they could follow does not."""
    is_detour, agreed, later, reads = play(
        page,
        """async () => {
          const world = new World(32, {loss: 0});
          await world.enter("a", "b");
          await world.agree();
          await world.run(OLD_KEYS_FOR);
          world.mangle = (letter) => (letter.to.seat === "b" || letter.from === "b" ? null : letter);
          world.people.set("c", await world.open("c"));
          await world.meet("a", "c");
          const a = world.people.get("a");
          let told = null;
          const post = world.post.bind(world);
          world.post = (person, text) => {
            if (person === a) told = JSON.parse(text);
            post(person, text);
          };
          await world.run(HANGS_AFTER + DETOUR / 2);
          const isDetour = Object.keys(told.has).join() === "c";
          world.mangle = (letter) => letter;
          const gone = await world.leave("b");
          const before = [...world.people.values()].map(({used}) => used.length);
          const agreed = await world.agree();
          await world.run(5000);
          const reach = await world.reach(gone.ever);
          const later = a.used.slice(before[0]);
          return [isDetour, agreed, later.length, reach.has(a.sends.key)];
        }""",
    )

    assert (is_detour, agreed, reads) == (True, True, False)
    assert later >= 1


def test_who_came_cannot_read_back(page: Page) -> None:
    assert play(
        page,
        """async () => {
          const world = new World(16);
          await world.enter("a", "b");
          await world.agree();
          const earlier = [...world.people.values()].flatMap(({used}) => used);
          const late = await world.enter("c");
          const agreed = await world.agree();
          const reach = await world.reach(late.ever);
          return [agreed, late.ever.size >= 2, earlier.some((key) => reach.has(key))];
        }""",
    ) == [True, True, False]


def test_a_slow_socket_does_not_keep_the_old_key_in_use(page: Page) -> None:
    """Somebody left while another hears nothing: the key that left with them is not used any longer than a moment."""
    old, new, again = play(
        page,
        """async () => {
          const world = new World(17, {loss: 0});
          await world.enter("a", "b", "c");
          await world.agree();
          await world.run(3000);
          const old = world.people.get("a").sends.key;
          world.mangle = (letter) => (letter.to.seat === "b" || letter.from === "b" ? null : letter);
          await world.leave("c");
          await world.run(SWITCH_WITHIN + 200);
          const now = world.people.get("a").sends.key;
          world.mangle = (letter) => letter;
          return [old, now, await world.agree()];
        }""",
    )

    assert old != new
    assert again


def test_somebody_who_hangs_does_not_take_the_others_keys(page: Page) -> None:
    """While a newcomer's round hangs, those who agreed before go on as they were."""
    assert play(
        page,
        """async () => {
          const world = new World(18, {loss: 0});
          await world.enter("a", "b");
          await world.agree();
          world.mangle = (letter) => (letter.from === "c" ? changed(letter, (value) => (value.reveal = null)) : letter);
          await world.enter("c");
          const [a, b, c] = ["a", "b", "c"].map((seat) => world.people.get(seat));
          const reads = (one, other) => one.keys.get(other.sends.kid) === other.sends.key;
          const look = () => [a.state.mode, reads(a, b), reads(b, a), reads(c, a)];
          await world.run(5000);
          const soon = look();
          await world.run(2 * OLD_KEYS_FOR);
          return [soon, look()];
        }""",
    ) == [["agreeing", True, True, False], ["broken", True, True, False]]


@pytest.mark.parametrize("what", ["value.reveal = null", "value.commit = value.page; value.round = value.page"])
def test_somebody_who_hangs_from_the_beginning_does_not_keep_the_others_apart(page: Page, what: str) -> None:
    """Who never shows, or never commits, and all have come at once. That it hangs is shown; it mends when they do."""
    outcome = play(
        page,
        f"""async () => {{
          const world = new World(27, {{loss: 0.1}});
          world.mangle = (letter) => (letter.from === "c" ? changed(letter, (value) => {{ {what} }}) : letter);
          await world.enter("a", "b", "c");
          await world.run(30_000);
          const [a, b, c] = ["a", "b", "c"].map((seat) => world.people.get(seat));
          const reads = (one, other) => other.sends !== null && one.keys.get(other.sends.kid) === other.sends.key;
          const hung = [reads(a, b), reads(b, a), reads(c, a)];
          const modes = [a.state.mode, a.modes.includes("on")];
          world.mangle = (letter) => letter;
          return [hung, modes, await world.agree()];
        }}""",
    )

    assert outcome == [[True, True, False], ["broken", False], True]


@pytest.mark.parametrize(("others", "loss"), [(["a"], 0), (["a"], 0.3), (["a", "d"], 0), (["a", "d"], 0.3)])
def test_somebody_joins_while_another_is_without_a_socket(page: Page, others: list[str], loss: float) -> None:
    """The newcomer has never heard of who is silent. Those go on seeing the others, who find the newcomer."""
    outcome = play(
        page,
        f"""async () => {{
          const outcome = [];
          for (const seed of [28, 29, 30]) {{
            const [others, world] = [{others}, new World(seed, {{loss: {loss}}})];
            await world.enter(...others, "b");
            await world.agree();
            await world.run(OLD_KEYS_FOR);
            const all = () => [...world.people.values()];
            const earlier = all().flatMap(({{used}}) => used);
            world.mangle = (letter) => (letter.to.seat === "b" || letter.from === "b" ? null : letter);
            const c = await world.open("c");
            world.people.set("c", c);
            await world.meet(...others, "c");
            const b = world.people.get("b");
            const rest = others.map((seat) => world.people.get(seat));
            const see = async (one, other) => other.sends !== null && (await world.opens(one.keys, other.sends));
            let [stays, found] = [true, null];
            const start = world.now;
            while (world.now < start + 20_000) {{
              await world.run(50);
              for (const each of rest) stays &&= (await see(b, each)) && (await see(each, b));
              const pairs = rest.flatMap((each) => [see(each, c), see(c, each)]);
              if ((await Promise.all(pairs)).every(Boolean)) found ??= world.now - start;
              else if (found !== null) stays = false;
            }}
            world.mangle = (letter) => letter;
            await world.meet();
            const agreed = await world.agree();
            const reach = await world.reach(c.ever);
            const before = all().map(({{used}}) => used.length);
            await world.leave("c");
            const again = (await world.agree()) && (await world.run(5000), true);
            const later = all().flatMap(({{used}}, i) => used.slice(before[i]));
            outcome.push([
              stays,
              found !== null && found <= HANGS_AFTER + DETOUR,
              agreed,
              earlier.some((key) => reach.has(key)),
              again && later.length >= 2,
              later.some((key) => reach.has(key)),
            ]);
          }}
          return outcome;
        }}""",
    )

    assert outcome == [[True, True, True, False, True, False]] * 3


def test_steps_of_a_key_end_in_a_fresh_one(page: Page) -> None:
    """More people may come than a key has steps, without anybody leaving: no number is used twice."""
    assert play(
        page,
        """async () => {
          const world = new World(31, {loss: 0, delay: 0});
          await world.enter("a");
          const a = world.people.get("a");
          const kids = [];
          for (let i = 0; i < 12; i += 1) {
            await world.enter("bcdefghijklm"[i]);
            await world.run(1000);
            await world.meet();
            kids.push(a.sends.kid);
          }
          await world.leave("m");
          const agreed = await world.agree();
          kids.push(a.sends.kid);
          return [agreed, new Set(a.used).size === a.used.length, kids.every((kid, i) => i === 0 || kid > kids[i - 1])];
        }""",
    ) == [True, True, True]


# --- somebody in the middle ------------------------------------------------------------------------


def test_with_somebody_in_the_middle_the_words_differ(page: Page) -> None:
    """A server that speaks with each side in the name of the other, by the rules."""
    one, other, alike = play(
        page,
        """async () => {
          const left = new World(19), right = new World(20), honest = new World(21);
          await left.enter("a", "b");
          await right.enter("a", "b");
          await honest.enter("a", "b");
          await left.agree(); await right.agree(); await honest.agree();
          return [left.words("a"), right.words("b"), honest.words("a") === honest.words("b")];
        }""",
    )

    assert one != other
    assert alike


def test_nobody_shows_their_number_before_all_have_committed(page: Page) -> None:
    """Or a server could search for a key that makes the words match."""
    early = play(
        page,
        """async () => {
          const world = new World(22);
          const known = new Map();  // page and round → seats whose commitment it has been given
          let early = 0;
          world.mangle = (letter) => {
            const value = JSON.parse(letter.text);
            const name = `${letter.to.seat} ${value.round}`;
            known.set(name, (known.get(name) ?? new Set()).add(letter.from));
            return letter;
          };
          const post = world.post.bind(world);
          world.post = (person, text) => {
            const {round, reveal, has} = JSON.parse(text);
            const others = Object.keys(has);
            const given = known.get(`${person.seat} ${round}`) ?? new Set();
            if (reveal && others.some((seat) => !given.has(seat))) early += 1;
            post(person, text);
          };
          await world.enter("a", "b", "c", "d");
          await world.agree();
          await world.leave("d");
          await world.agree();
          return early;
        }""",
    )

    assert early == 0


@pytest.mark.parametrize(
    "change",
    [
        # Another number than the one committed to, chosen when the other's is known.
        "if (value.reveal) value.reveal.nonce = 'A'.repeat(43)",
        # Another key.
        "if (value.reveal) value.reveal.key = value.reveal.key.slice(0, -2) + 'AA'",
        # Another commitment, once the number of the other is out.
        "if (value.reveal) value.commit = 'B'.repeat(43)",
        # A key for frames that the sender did not seal.
        "for (const sealed of Object.values(value.keys)) sealed.box = 'C'.repeat(80)",
        # One that was sealed for another number.
        "for (const sealed of Object.values(value.keys)) sealed.generation += 1",
    ],
)
def test_what_was_tampered_with_is_refused_and_shown(page: Page, change: str) -> None:
    mode, on, keys = play(
        page,
        f"""async () => {{
          const world = new World(23, {{loss: 0}});
          world.mangle = (letter) => (letter.from === "b" ? changed(letter, (value) => {{ {change} }}) : letter);
          await world.enter("a", "b");
          await world.run(8000);
          const {{state, modes, keys}} = world.people.get("a");
          return [state.mode, modes.includes("on"), keys.size];
        }}""",
    )

    assert (mode, on, keys) == ("broken", False, 0)


def test_a_round_takes_only_what_was_committed_to(page: Page) -> None:
    """By itself, without the sealed keys that would show the difference, too."""
    outcome = play(
        page,
        """async () => {
          const [own, other, third] = [await Identity.make(), await Identity.make(), await Identity.make()];
          const nonce = "D".repeat(43);
          const attempt = async (committed, shown) => {
            const members = [{seat: "a", page: own.page}, {seat: "b", page: other.page}];
            const round = await Round.make(own, "a", members);
            const commit = ([key, number]) =>
              digest(["telehealth commitment 1", round.id, "b", other.page, key, number]);
            for (const each of committed) round.takeCommit("b", await commit(each));
            await round.takeReveal("b", shown);
            await round.finish();
            return [round.broken, round.words !== null, round.reveal !== null];
          };
          const [right, wrong] = [[other.publicKey, nonce], [other.publicKey, "E".repeat(43)]];
          const reveal = {key: other.publicKey, nonce};
          return [
            await attempt([right], reveal),
            await attempt([right, right], reveal),
            await attempt([wrong], reveal),
            await attempt([wrong, right], reveal),
            await attempt([], reveal),
            await attempt([[third.publicKey, nonce]], {key: third.publicKey, nonce}),
          ];
        }""",
    )

    assert outcome == [
        ["", True, True],
        ["", True, True],
        ["a commitment not kept", False, False],
        ["two commitments", False, False],
        ["a commitment not kept", False, False],
        ["a commitment not kept", False, False],
    ]


def test_a_key_that_is_not_on_the_curve_is_refused(page: Page) -> None:
    broken = play(
        page,
        """async () => {
          const identity = await Identity.make();
          const bad = base64(Uint8Array.from({length: 65}, (_, i) => (i ? 7 : 4)));
          const members = [{seat: "a", page: identity.page}, {seat: "b", page: await pageOf(bad)}];
          const round = await Round.make(identity, "a", members);
          const nonce = "D".repeat(43);
          const commit = await digest(["telehealth commitment 1", round.id, "b", await pageOf(bad), bad, nonce]);
          round.takeCommit("b", commit);
          await round.takeReveal("b", {key: bad, nonce});
          await round.finish();
          return [round.broken, round.words];
        }""",
    )

    assert broken == ["not a key", None]


def test_garbage_changes_nothing(page: Page) -> None:
    agreed, refused = play(
        page,
        """async () => {
          const world = new World(24, {loss: 0.2});
          const {dice} = world;
          const odd = [null, [], {}, -1, 1e99, "", "x".repeat(9000), true, {a: {}}, [[[]]]];
          const letters = [];
          world.mangle = (letter) => {
            letters.push(letter.text);
            return letter;
          };
          await world.enter("a", "b", "c");
          for (let i = 0; i < 400; i += 1) {
            const to = world.people.get("abc"[i % 3]);
            const base = letters[Math.floor(dice() * letters.length)] ?? "{}";
            const value = JSON.parse(base);
            const field = Object.keys(value)[Math.floor(dice() * Object.keys(value).length)];
            if (field) value[field] = odd[Math.floor(dice() * odd.length)];
            const cut = base.slice(0, dice() * base.length);
            const texts = [cut, JSON.stringify(value), "[".repeat(4000), odd[i % odd.length]];
            // Too old to count even where it is sound.
            await to.agreement.hear("abcdefghijklmnopqrst"[i % 20], 0, texts[i % texts.length]);
            if (i % 10 === 0) await world.run(50);
          }
          const agreed = await world.agree();
          return [agreed, world.people.get("a").agreement.refused];
        }""",
    )

    assert agreed
    assert refused["malformed"] > 50


def test_a_flood_is_bounded(page: Page) -> None:
    busy, agreed = play(
        page,
        """async () => {
          const world = new World(25);
          await world.enter("a", "b");
          const {agreement} = world.people.get("a");
          for (let i = 0; i < 5000; i += 1) agreement.hear("b", 0, "{}");
          await agreement.tick();
          return [agreement.refused.busy, await world.agree()];
        }""",
    )

    assert busy > 4000
    assert agreed


def test_a_server_that_plays_with_the_people_ends_in_broken(page: Page) -> None:
    """Each round is a new chance for a liar, so their number is bounded; then nothing is sent any more."""
    mode, sends, used = play(
        page,
        """async () => {
          const world = new World(26, {loss: 0, delay: 0});
          await world.enter("a");
          const a = world.people.get("a");
          await world.run(OLD_KEYS_FOR);
          for (let i = 0; i < 300; i += 1) {
            world.epoch += 1;
            const page = await pageOf(`page ${i}`);
            const said = {version: 2, number: i, asks: false, language: "en", reveal: null, has: {}, got: {}, keys: {}};
            await a.agreement.meet("a", ["b"]);
            await a.agreement.hear("b", world.epoch, JSON.stringify({...said, page, round: page, commit: page}));
            await world.run(i < 250 ? 50 : OLD_KEYS_FOR);
          }
          await world.run(OLD_KEYS_FOR);
          const keys = a.used.filter((key) => key !== null);
          return [a.state.mode, a.sends.key, keys.length - new Set(keys).size];
        }""",
    )

    assert (mode, sends) == ("broken", None)
    assert used == 0, "no key begins to count anew"
