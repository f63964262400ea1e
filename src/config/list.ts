import { z } from 'zod';

/** Items with commas between them; empty items do not count. */
export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
