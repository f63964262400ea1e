import { Life, type Stage } from './life.ts';

/**
 * The kinds of calls that a day has. Each begins with a call that is established, and ends with one that nobody wants muted,
 * or that has ended. `number` makes those of a kind differ.
 */
export const LIVES = {
  /** A mute and an unmute on request. */
  async single(stage, number) {
    const life = new Life(stage, 'single');
    await life.establish();
    await life.request('mute');
    life.join(1);
    await life.talk(pauseOf(number));
    life.leave();
    await life.unmute();
    return life;
  },

  /** Muted for some seconds. */
  async timed(stage, number) {
    const life = new Life(stage, 'timed');
    await life.establish();
    const forSeconds = 3 + (number % 3);
    const mute = await life.lock({ forSeconds }, true);
    const sight = await life.sees(true, 'timed mute: muted', mute.since, { or: mute.ended });
    const due = mute.since + forSeconds * 1_000;
    if (sight === 'seen') {
      const from = Date.now();
      life.join(1);
      await life.sees(false, 'timed mute: unmuted after its end', due);
      life.wasKept(from, due, 'a timed mute');
    }
    await life.endsAs(mute, 'expired');
    return life;
  },

  /** Kept muted, although an organizer unmutes, until it is released or its time is over. */
  async locked(stage, number) {
    const life = new Life(stage, 'locked');
    await life.establish();
    const forSeconds = number % 2 === 0 ? 8 + (number % 5) : undefined;
    const lock = await life.lock(forSeconds === undefined ? {} : { forSeconds });
    const sight = await life.sees(true, 'mute lock: muted', lock.since, { or: lock.ended });
    if (sight === 'seen') {
      const from = Date.now();
      await life.untilKept(lock);
      life.join(2);
      const unmuted = life.organizerUnmutes();
      await life.sees(true, 'mute lock: muted again after an organizer', unmuted, { or: lock.ended });
      life.leave();
      if (forSeconds === undefined) {
        await life.talk(pauseOf(number));
        const released = await life.release(lock.handle);
        await life.sees(false, 'mute lock: unmuted after its release', released);
        life.wasKept(from, released, 'a mute lock');
      } else {
        const due = lock.since + forSeconds * 1_000;
        await life.sees(false, 'mute lock: unmuted after its end', due, { or: lock.ended });
        life.wasKept(from, due, 'a mute lock');
      }
    }
    await life.endsAs(lock, forSeconds === undefined ? 'released' : 'expired');
    return life;
  },

  /** Kept muted, and then everything on the call is released. */
  async released(stage, number) {
    const life = new Life(stage, 'released');
    await life.establish();
    const lock = await life.lock({});
    await life.sees(true, 'mute lock: muted', lock.since, { or: lock.ended });
    await life.talk(pauseOf(number));
    await life.releaseCall();
    await life.endsAs(lock, 'released');
    return life;
  },

  /** Newcomers are muted once, and those who were there are not. */
  async lecture(stage, number) {
    const life = new Life(stage, 'lecture');
    await life.establish();
    const entry = await life.muteOnEntry();
    for (const count of [1 + (number % 2), 1]) {
      const since = Date.now();
      const fresh = life.join(count);
      await Promise.all(fresh.map(async (id) => await life.seesMuted(id, 'mute on entry: newcomer muted', since)));
      life.leave();
      await life.talk(pauseOf(number));
    }
    await life.endsMuteOnEntry(entry);
    return life;
  },

  /** A policy mutes it as it is established, and somebody takes it. */
  async reception(stage, number) {
    const life = new Life(stage, 'reception');
    const since = await life.establish(stage.labels.reception);
    const sight = await life.sees(true, 'policy: muted as established', since, { isDue: false });
    // The policy may come yet, and later than an unmute.
    if (sight !== 'seen') life.hangUp({ isMuted: true });
    else {
      await life.talk(pauseOf(number));
      await life.unmute();
    }
    return life;
  },

  /** A policy mutes it as soon as many are in it. It ends so. */
  async crowd(stage) {
    const life = new Life(stage, 'crowd');
    await life.establish(stage.labels.crowd);
    const since = Date.now();
    life.join(CROWD);
    await life.sees(true, 'policy: muted as crowded', since, { isDue: false });
    life.hangUp({ isMuted: true });
    return life;
  },

  /** The call ends while it is kept muted, and what keeps it muted ends with it. */
  async hangUp(stage) {
    const life = new Life(stage, 'hangUp');
    await life.establish();
    const lock = await life.lock({});
    const sight = await life.sees(true, 'mute lock: muted', lock.since, { or: lock.ended });
    if (sight === 'seen') await life.untilKept(lock);
    life.hangUp({ isMuted: true });
    await life.endsAs(lock, 'callEnded');
    return life;
  },
} satisfies Record<string, (stage: Stage, number: number) => Promise<Life>>;

export type Kind = keyof typeof LIVES;
export const KINDS = Object.keys(LIVES) as Kind[];

/** As many join at once in a crowd; the policy mutes calls with more than half of them. */
export const CROWD = 8;

/** In ms, of a call by its number. */
function pauseOf(number: number): number {
  return 300 + ((number * 37) % 10) * 120;
}
