import { post, readCall, type CallReading, type Graph } from '../graph.ts';

export interface Activities {
  readCall: (callId: string) => Promise<CallReading>;
  postMute: (callId: string, clientContext: string) => Promise<string>;
  postUnmute: (callId: string, clientContext: string) => Promise<string>;
}

export function createActivities(graph: Graph): Activities {
  return {
    readCall: (callId) => readCall(graph, callId),
    postMute: (callId, clientContext) => post(graph, 'mute', callId, clientContext),
    postUnmute: (callId, clientContext) => post(graph, 'unmute', callId, clientContext),
  };
}
