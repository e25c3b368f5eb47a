/** What the line is worth, from two looks at getStats. Pure: no page, no connection. */

const SAMPLES_PER_MS = 48; // Opus
// What visits/room/statistics.py takes.
const [MOST, MOST_MS, MOST_PIXELS] = [100_000, 600_000, 16_384];

/** The figures of one report that matter, or null for none. */
export function measure(report) {
  if (!report) return null;
  const sum = {
    at: 0, received: 0, lost: 0, bytesIn: 0, bytesOut: 0, rtt: null, remoteLoss: 0, limited: false,
    freezes: 0, frozen: 0, concealed: 0, heard: 0, decoded: 0, dropped: 0, width: 0, height: 0,
  };
  for (const entry of report.values()) {
    if (entry.type === "inbound-rtp") {
      sum.received += entry.packetsReceived ?? 0;
      sum.lost += Math.max(0, entry.packetsLost ?? 0);
      sum.bytesIn += entry.bytesReceived ?? 0;
      add(sum, entry);
    } else if (entry.type === "outbound-rtp") {
      sum.bytesOut += entry.bytesSent ?? 0;
      sum.limited ||= entry.qualityLimitationReason === "bandwidth";
    } else if (entry.type === "remote-inbound-rtp") {
      sum.remoteLoss = Math.max(sum.remoteLoss, entry.fractionLost ?? 0);
    } else if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
      sum.rtt = entry.currentRoundTripTime ?? null;
      sum.at = entry.timestamp;
    }
  }
  return sum;
}

/** What of one received stream was heard and seen. Silence that is made up for a quiet microphone is no loss. */
function add(sum, entry) {
  sum.concealed += ((entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0)) / SAMPLES_PER_MS;
  sum.heard += (entry.totalSamplesReceived ?? 0) / SAMPLES_PER_MS;
  sum.freezes += entry.freezeCount ?? 0;
  sum.frozen += 1000 * (entry.totalFreezesDuration ?? 0);
  sum.decoded += entry.framesDecoded ?? 0;
  sum.dropped += entry.framesDropped ?? 0;
  if ((entry.frameHeight ?? 0) > sum.height) [sum.width, sum.height] = [entry.frameWidth, entry.frameHeight];
}

/** The protocol's `stats` of the time between two measurements: whole, bounded numbers; null until there are two. */
export function report(before, now) {
  if (!before || !now || now.at <= before.at) return null;
  const whole = (value, most) => Math.min(most, Math.max(0, Math.round(value)));
  const grown = (name, most) => whole(now[name] - before[name], most);
  return {
    span: Math.max(1, whole(now.at - before.at, MOST_MS)),
    round_trip: now.rtt === null ? null : whole(1000 * now.rtt, 60_000),
    freezes: grown("freezes", MOST),
    frozen: grown("frozen", MOST_MS),
    concealed: grown("concealed", MOST_MS),
    heard: grown("heard", MOST_MS),
    decoded: grown("decoded", MOST),
    dropped: grown("dropped", MOST),
    width: whole(now.width, MOST_PIXELS),
    height: whole(now.height, MOST_PIXELS),
  };
}

/** Loss (0 to 1), round trip (seconds) and bit rates between two measurements; null until there are two. */
export function compare(before, now) {
  if (!before || !now || now.at <= before.at) return null;
  const seconds = (now.at - before.at) / 1000;
  const lost = Math.max(0, now.lost - before.lost);
  const received = Math.max(0, now.received - before.received);
  return {
    loss: Math.max(lost + received ? lost / (lost + received) : 0, now.remoteLoss),
    rtt: now.rtt ?? 0,
    down: (8 * Math.max(0, now.bytesIn - before.bytesIn)) / seconds,
    up: (8 * Math.max(0, now.bytesOut - before.bytesOut)) / seconds,
    limited: now.limited,
  };
}

/** "good", "weak" or "poor". */
export function judge({loss, rtt, limited}) {
  if (loss > 0.1 || rtt > 0.8) return "poor";
  if (loss > 0.03 || rtt > 0.3 || (limited && loss > 0.01)) return "weak";
  return "good";
}

/** Says a level once it has held for two looks in a row, and not more often than every 10 s, so that words stand still. */
export class Steady {
  #shown = "";
  #candidate = "";
  #changedAt = -Infinity;

  /** Returns the new level when it is to be shown, else "". */
  next(level, now) {
    const held = level === this.#candidate;
    this.#candidate = level;
    if (level === this.#shown || (this.#shown && (!held || now - this.#changedAt < 10_000))) return "";
    this.#shown = level;
    this.#changedAt = now;
    return level;
  }
}
