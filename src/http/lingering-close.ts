import type { IncomingMessage } from 'node:http';

/**
 * The end of a connection whose request is answered before its body has arrived.
 *
 * Kept alive, the rest of a body that nobody wants would have to be read first. Closed at once, the kernel would
 * reset the connection, because bytes are there that nobody has read, and a reset can overtake the answer. So the
 * answer says that the connection closes, our side of it is ended, and what still comes is read and dropped until the
 * client has ended its side, too, or LINGER_MS have passed. https://www.rfc-editor.org/rfc/rfc9112#section-9.6
 */

export const LINGER_MS = 3_000;

/** Whether the connection is to close after an answer that is given now: the request has not arrived whole. */
export function leavesBodyUnread({ complete, httpVersionMajor }: IncomingMessage): boolean {
  return !complete && httpVersionMajor === 1;
}

/** To be called before the answer is sent, with `Connection: close` among its headers. */
export function closeLingering(request: IncomingMessage): void {
  const { socket } = request;
  // Node's server calls this as soon as such an answer has been written.
  socket.destroySoon = () => {
    socket.end();
    // What comes is no request any more, so the parser does not get it.
    socket.removeAllListeners('data');
    socket.on('data', () => undefined);
    socket.resume();
    const end = (): void => void socket.destroy();
    socket.once('end', end);
    const timer = setTimeout(end, LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  };
}
