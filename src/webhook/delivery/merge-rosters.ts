import { MAX_IN_ROSTER, type RosterParticipant, type RosterUpdate } from '../../contract/signals.ts';

/**
 * Merging rosters of one call, oldest first. A later roster replaces an earlier one, with one exception: if both have
 * sequence numbers, the higher one wins, because notifications may overtake each other. A full roster replaces
 * everything, a delta replaces participant by participant, and a delta on top of a full roster leaves it full.
 */
export function mergeRosters(updates: readonly RosterUpdate[]): RosterUpdate {
  let merged = new Map<string, RosterParticipant>();
  let full = false;
  let isIncomplete = false;
  let sequenceNumber: number | undefined;
  for (const update of updates) {
    const earlier = merged;
    if (update.full) {
      merged = new Map();
      full = true;
      isIncomplete = update.isIncomplete === true;
      // It orders deltas only, and the full roster replaced them.
      sequenceNumber = undefined;
    }
    for (const entry of update.participants) {
      merged.set(entry.id, newer(merged.get(entry.id) ?? earlier.get(entry.id), entry));
    }
    if (update.sequenceNumber !== undefined) {
      sequenceNumber = Math.max(update.sequenceNumber, sequenceNumber ?? update.sequenceNumber);
    }
  }
  return {
    participants: [...merged.values()],
    full,
    ...(sequenceNumber !== undefined && { sequenceNumber }),
    ...(isIncomplete && { isIncomplete }),
  };
}

function newer(earlier: RosterParticipant | undefined, later: RosterParticipant): RosterParticipant {
  const isOvertaken =
    earlier?.sequence !== undefined && later.sequence !== undefined && later.sequence < earlier.sequence;
  return isOvertaken ? earlier : later;
}

/** Bytes of the participants in one signal. Temporal refuses a payload of more than 2 MiB, however often it is sent. */
const MAX_BYTES = 128 * 1024;

/** Whether a roster may be one signal. A larger one is split before it is delivered, and nothing is merged into it. */
export function fitsOneSignal({ participants }: RosterUpdate): boolean {
  if (participants.length > MAX_IN_ROSTER) return false;
  let bytes = 0;
  for (const entry of participants) bytes += bytesOf(entry);
  return bytes <= MAX_BYTES;
}

/**
 * The signals for a roster, in their order. A part of a split roster does not list everyone, so no part is full.
 */
export function partsOf(roster: RosterUpdate): RosterUpdate[] {
  if (fitsOneSignal(roster)) return [roster];
  const parts: RosterParticipant[][] = [];
  let part: RosterParticipant[] = [];
  let bytes = 0;
  for (const entry of roster.participants) {
    const size = bytesOf(entry);
    if (part.length === MAX_IN_ROSTER || (part.length > 0 && bytes + size > MAX_BYTES)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += size;
  }
  parts.push(part);
  return parts.map((participants) => ({ ...roster, participants, full: false }));
}

/** As JSON, with the comma behind it. */
function bytesOf(entry: RosterParticipant): number {
  return Buffer.byteLength(JSON.stringify(entry)) + 1;
}
