import { readdirSync, readFileSync } from 'node:fs';

/** A process as Linux tells of it. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  cpuMs: number;
  /** Its own, without what it shares: PostgreSQL's processes share most of what they have. */
  ownBytes: number;
}

/** Of Linux: ticks of the CPU counters in a second, and bytes of a page. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;

/**
 * A process and all that came of it, itself first. They are told by their parents and not by their group, for PostgreSQL's
 * children have groups of their own. Nothing where the system has no `/proc`, as macOS.
 */
export function descendantsOf(pid: number): ProcessEntry[] {
  const all = entries();
  const found = all.filter((entry) => entry.pid === pid);
  for (const parent of found) found.push(...all.filter((entry) => entry.parent === parent.pid));
  return found;
}

function entries(): ProcessEntry[] {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map((name) => entryOf(Number(name))).filter((entry) => entry !== undefined);
  } catch {
    return [];
  }
}

function entryOf(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name stands in parentheses and may hold spaces; the numbers come after it.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    // Its own times, and those of its children that have ended.
    const ticks = fields.slice(11, 15).reduce((sum, value) => sum + value, 0);
    const [, resident, shared] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ').map(Number);
    return {
      pid,
      parent: fields[1] ?? 0,
      cpuMs: (ticks / TICKS_PER_SECOND) * 1_000,
      ownBytes: ((resident ?? 0) - (shared ?? 0)) * PAGE_BYTES,
    };
  } catch {
    // It has just ended.
    return undefined;
  }
}
