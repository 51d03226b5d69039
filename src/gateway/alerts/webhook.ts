import { createHmac, randomUUID } from 'node:crypto'
import { UndiciAgent } from '../../environment/index.js'
import type { BudgetAlert } from '../../ledger/index.js'
import { systemClock, type Clock } from '../../quantities/index.js'
import { payloadOf, rollBackPayloadOf, type RollBackAlert } from './payload.js'
import { post, type PostOutcome } from './post.js'

export interface WebhookOptions {
  /** `http:` or `https:`; a user and password in it are sent as basic authentication. */
  readonly url: string
  /** Signs each body: header `x-bursar-signature` is `sha256=` and the HMAC-SHA-256 of the body, in hex. */
  readonly secret?: string | undefined
  /** Longest that one try may take, connecting included; seconds. 5 unless told otherwise. */
  readonly timeoutSeconds?: number | undefined
  /** Tries for each alert. 4 unless told otherwise. */
  readonly tries?: number | undefined
  /** The wait before the second try; it doubles for each further one. 1 unless told otherwise; seconds. */
  readonly backoffSeconds?: number | undefined
  /** Alerts that may wait; beyond them the oldest are dropped. 1,000 unless told otherwise. */
  readonly maxQueued?: number | undefined
  readonly clock?: Clock | undefined
  /** Told of an alert that was not delivered, and why; never of what was in the answer. */
  readonly onFailure?: ((reason: string) => void) | undefined
}

export interface WebhookCounts {
  readonly delivered: number
  /** Given up after all tries, or refused by the receiver. */
  readonly failed: number
  /** Pushed out of a full queue, or left when it was closed. */
  readonly dropped: number
  readonly queued: number
}

/** Sends alerts to a URL, one after the other, beside all requests. */
export interface Webhook {
  /** Takes an alert; never throws, and never waits for the receiver. */
  send(alert: BudgetAlert | RollBackAlert): void
  readonly counts: WebhookCounts
  /** Delivers what is queued for at most so long (1 s unless told otherwise), drops the rest and closes the connection. */
  close(graceSeconds?: number): Promise<void>
}

/** Throws `TypeError` when the URL is none, or isn't HTTP. */
export function createWebhook(options: WebhookOptions): Webhook {
  return new QueuedWebhook(options)
}

/** The longest wait between two tries, however often it has doubled; seconds. */
const MAX_BACKOFF_SECONDS = 60

class QueuedWebhook implements Webhook {
  private readonly url: URL
  private readonly agent: InstanceType<typeof UndiciAgent>
  private readonly clock: Clock
  private readonly timeoutSeconds: number
  private readonly queue: Buffer[] = []
  private readonly closing = new AbortController()
  private delivered = 0
  private failed = 0
  private dropped = 0
  private delivering: Promise<void> | undefined
  private open = true

  constructor(private readonly options: WebhookOptions) {
    this.url = new URL(options.url)
    if (this.url.protocol !== 'http:' && this.url.protocol !== 'https:')
      throw new TypeError(`a webhook is sent by http: or https:, not ${this.url.protocol}`)
    this.clock = options.clock ?? systemClock
    this.timeoutSeconds = options.timeoutSeconds ?? 5
    const milliseconds = this.timeoutSeconds * 1000
    this.agent = new UndiciAgent({
      connections: 1,
      connect: { timeout: milliseconds },
      headersTimeout: milliseconds,
      bodyTimeout: milliseconds,
      keepAliveTimeout: 4_000,
    })
  }

  get counts(): WebhookCounts {
    return { delivered: this.delivered, failed: this.failed, dropped: this.dropped, queued: this.queue.length }
  }

  send(alert: BudgetAlert | RollBackAlert): void {
    if (!this.open) {
      this.dropped++
      return
    }
    const id = randomUUID()
    this.queue.push(Buffer.from(JSON.stringify(alert.kind === 'rolled_back' ? rollBackPayloadOf(alert, id) : payloadOf(alert, id))))
    if (this.queue.length > (this.options.maxQueued ?? 1000)) {
      this.queue.shift()
      this.dropped++
    }
    this.delivering ??= this.deliverAll()
  }

  async close(graceSeconds = 1): Promise<void> {
    if (!this.open) return
    this.open = false
    const { delivering } = this
    if (delivering) {
      const timer = setTimeout(() => this.closing.abort(new Error('closing')), graceSeconds * 1000)
      await delivering
      clearTimeout(timer)
    }
    this.dropped += this.queue.splice(0).length
    await this.agent.destroy()
  }

  private async deliverAll(): Promise<void> {
    for (let body = this.queue.shift(); body !== undefined; body = this.queue.shift()) {
      const outcome = await this.deliver(body)
      if (outcome === 'delivered') this.delivered++
      else if (this.closing.signal.aborted) this.dropped++
      else {
        this.failed++
        this.options.onFailure?.(outcome)
      }
      if (this.closing.signal.aborted) break
    }
    // In the same step as the look at the empty queue, so that no alert comes in between.
    this.delivering = undefined
  }

  /** Tries until the receiver has it, refuses it, or all tries are used up; resolves to `delivered`, or else to why not. Never rejects. */
  private async deliver(body: Buffer): Promise<string> {
    const { tries = 4, backoffSeconds = 1 } = this.options
    const headers = this.headersFor(body)
    for (let attempt = 1; ; attempt++) {
      const outcome = await post(this.agent, this.url, headers, body, this.timeoutSeconds, this.closing.signal)
      if ('status' in outcome && outcome.status >= 200 && outcome.status < 300) return 'delivered'
      const reason = 'status' in outcome ? `it answered ${outcome.status}` : outcome.fault
      if (attempt >= tries || !mayWorkLater(outcome)) return reason
      try {
        await this.clock.sleep(Math.min(MAX_BACKOFF_SECONDS, backoffSeconds * 2 ** (attempt - 1)), this.closing.signal)
      } catch {
        return reason
      }
    }
  }

  private headersFor(body: Buffer): Record<string, string> {
    const { secret } = this.options
    const { username, password } = this.url
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'user-agent': 'bursar',
    }
    if (secret !== undefined) headers['x-bursar-signature'] = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
    if (username !== '' || password !== '')
      headers['authorization'] =
        `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`
    return headers
  }
}

function mayWorkLater(outcome: PostOutcome): boolean {
  return !('status' in outcome) || outcome.status === 408 || outcome.status === 425 || outcome.status === 429 || outcome.status >= 500
}
