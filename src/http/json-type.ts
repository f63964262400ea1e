const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/;

/** Whether a content type is JSON, as `application/json; charset=utf-8` and `application/cloudevents+json` are. */
export function isJson(contentType: string | undefined): boolean {
  return JSON_TYPE.test(contentType?.split(';')[0]?.trim().toLowerCase() ?? '');
}
