import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { isSafe } from '../lib/safe-url.ts';

/** A port to listen on. */
export const port = z
  .string()
  .refine((value) => /^\d{1,5}$/.test(value) && Number(value) <= 65_535, {
    // Kubernetes sets such a value for a Service of that name.
    error: ({ input }) =>
      /^(tcp|udp):/.test(String(input))
        ? 'must be a port, 0 to 65535; where Kubernetes has set it for a Service, set enableServiceLinks: false'
        : 'must be a port, 0 to 65535',
  })
  .transform(Number);

/** A host to listen on. */
export const host = z
  .string()
  .transform((value) => value.replace(/^\[(.*)\]$/, '$1'))
  .refine(
    (value) => isIPv6(value) || /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/.test(value),
    'must be an IP address or a host name, without scheme and port, such as 0.0.0.0',
  );

/** An address that requests are sent to. A user and a fragment would not be sent. */
const url = z
  .string()
  .refine((value) => URL.canParse(value), 'must be an absolute URL, such as https://bot.example.com/calls')
  .refine((value) => {
    if (!URL.canParse(value)) return true;
    const { hash, username, password } = new URL(value);
    return `${hash}${username}${password}` === '' && !/[\s"'<>\\]/.test(value);
  }, 'must be an address without user, fragment, quotes and white space');

export const webUrl = url.refine(
  (value) => !URL.canParse(value) || /^https?:$/.test(new URL(value).protocol),
  'must be http: or https:',
);

/** HTTPS, or HTTP on this machine. */
export const safeUrl = url.refine(
  (value) => !URL.canParse(value) || isSafe(new URL(value)),
  'must be https:; http: is allowed on a loopback address only',
);
