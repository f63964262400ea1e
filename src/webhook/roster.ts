import type { RosterEntry, RosterUpdate } from '../contract/signals.ts';

/**
 * Merging rosters of one call, oldest first. What came later stands for what came before, with one exception: where
 * both tell their place in the roster's order of changes, the greater place stands, for notifications may overtake each
 * other on their way. A full roster replaces everything, a delta replaces participant by participant, and a delta on
 * top of a full roster leaves it full.
 */
export function mergeRosters(updates: readonly RosterUpdate[]): RosterUpdate {
  let merged = new Map<string, RosterEntry>();
  let full = false;
  let sequenceNumber: number | undefined;
  for (const update of updates) {
    const earlier = merged;
    if (update.full) {
      merged = new Map();
      full = true;
      // It orders deltas among themselves, and nothing of them is left.
      sequenceNumber = undefined;
    }
    for (const entry of update.participants) {
      merged.set(entry.id, newer(merged.get(entry.id) ?? earlier.get(entry.id), entry));
    }
    if (update.sequenceNumber !== undefined) {
      sequenceNumber = Math.max(update.sequenceNumber, sequenceNumber ?? update.sequenceNumber);
    }
  }
  return { participants: [...merged.values()], full, ...(sequenceNumber !== undefined && { sequenceNumber }) };
}

function newer(earlier: RosterEntry | undefined, later: RosterEntry): RosterEntry {
  const isOvertaken =
    earlier?.sequence !== undefined && later.sequence !== undefined && later.sequence < earlier.sequence;
  return isOvertaken ? earlier : later;
}
