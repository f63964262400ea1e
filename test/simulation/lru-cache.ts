import { createRequire } from 'node:module';
import type * as Lru from 'lru-cache';

/**
 * Stands for `lru-cache` in a simulation: the same, with room for a hundred. The real ones take their room when they are
 * made, and every simulated worker makes some.
 */
const real = createRequire(import.meta.url)('lru-cache') as Real;

type Real = typeof Lru;

export class LRUCache<K extends object | string, V extends object | string> extends real.LRUCache<K, V> {
  constructor(options: { max: number; ttl?: number }) {
    super({ ...options, max: Math.min(options.max, 100) });
  }
}
