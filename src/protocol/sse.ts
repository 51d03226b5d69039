/** One server-sent event (WHATWG HTML, section 9.2): `data` lines joined by a newline. */
export interface ServerSentEvent {
  readonly event: string | undefined
  readonly data: string
}
