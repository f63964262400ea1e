import { createRequire } from 'node:module';

/**
 * Stands for `lru-cache` in a simulation: the same, with room for a hundred. The real ones take their room when they are
 * made, and every simulated worker makes some.
 */
const real = createRequire(import.meta.url)('lru-cache') as typeof import('lru-cache');

export class LRUCache<K extends object | string, V extends object | string> extends real.LRUCache<K, V> {
  constructor(options: { max: number; ttl?: number }) {
    super({ ...options, max: Math.min(options.max, 100) });
  }
}
