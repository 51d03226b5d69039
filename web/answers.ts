/** What the endpoints answer, as far as the pages read it. Dollars in text are exact decimals; unknown is `null`. */

export interface Totals {
  readonly usd: string
  readonly calls: number
  readonly errors: number
  readonly lost: number
  readonly unpriced: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_savings_usd: string
  readonly latency_seconds: {
    readonly mean: number | null
    readonly p50: number | null
    readonly p95: number | null
    readonly p99: number | null
  }
}

export interface Usage {
  readonly from: string
  readonly to: string
  readonly data: readonly (Totals & { readonly group: Readonly<Record<string, string>> })[]
  readonly others: Totals & { readonly groups: number }
  readonly total: Totals
  readonly notes: readonly string[]
}

export interface Forecasts {
  readonly from: string
  readonly to: string
  readonly data: readonly {
    readonly spent_usd: string
    readonly total_usd: { readonly value: string; readonly low: string; readonly high: string; readonly level: number } | null
    readonly history_days: number
    readonly notes: readonly string[]
  }[]
}

export interface Anomalies {
  readonly from: string
  readonly to: string
  readonly data: readonly {
    readonly group: Readonly<Record<string, string>>
    readonly day: string
    readonly usd: string
    readonly usual_usd: { readonly low: string; readonly high: string }
    readonly words: string
  }[]
  readonly judged: { readonly groups: number; readonly days: number; readonly too_young: number }
}

export interface Band {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
}

export interface Saving {
  readonly saved: Band
  readonly per_request: Band
  readonly spent: number | null
  readonly share: Band | null
  readonly not_saved_held_out: Band
}

export interface UnknownSaving {
  readonly unknown_requests: number
  readonly arms: readonly string[]
}

export interface SavingsScope {
  readonly requests: number
  readonly held_out: number
  readonly units: number
  readonly spent_usd: string
  readonly usd: Saving | UnknownSaving
  readonly seconds: Saving | UnknownSaving
  readonly joules: Saving | UnknownSaving
  readonly quality: readonly {
    readonly kind: string
    readonly difference: Band
    readonly words: { readonly held_out: number; readonly policy: number }
    readonly labels: number
    readonly more: number | null
  }[]
  readonly verdict: string
  readonly evidence: string | null
  readonly more: number | null
}

export interface Savings {
  readonly from: string
  readonly to: string
  readonly margin: number
  readonly level: number
  readonly all: SavingsScope
  readonly learning: { readonly usd: string; readonly judge_usd: string; readonly shadow_usd: string } | null
  readonly saved_in_the_end_usd: Band | null
  readonly scopes: readonly {
    readonly dimension: string
    readonly data: readonly (SavingsScope & { readonly name: string })[]
    readonly left: number
  }[]
  readonly timeline: readonly {
    readonly at: string
    readonly requests: number
    readonly saved_usd: Band | null
    readonly quality: Band | null
  }[]
}

export interface Estimate {
  readonly arm: string
  readonly quality: number | null
  readonly quality_deviation: number | null
  readonly cost: number | null
  readonly output_tokens: number | null
  readonly seconds: number | null
  readonly joules: number | null
  readonly support: number
}

export interface DecisionRow {
  readonly id: string
  readonly created: number
  readonly key: string
  readonly requested_model: string
  readonly arm: string
  readonly policy: string
  readonly propensity: number
  readonly reason: string
  readonly weighed_arms: number
  readonly reference?: string
  readonly explored?: boolean
  readonly expected?: Estimate | null
  readonly expected_of_reference?: Estimate | null
  readonly trial?: { readonly held_out: boolean; readonly policy_arm: string }
}

export interface DecisionWhole extends Omit<DecisionRow, 'key' | 'weighed_arms'> {
  readonly request_id: string
  readonly explanation?: string
  readonly objective?: Readonly<Record<string, string | number | boolean>>
  readonly familiarity?: number
  readonly alternatives?: readonly Estimate[]
  readonly excluded?: readonly { readonly arm: string; readonly why: string }[]
  readonly calls: readonly {
    readonly id: string
    readonly deployment: string
    readonly attempt: number
    readonly end: string
    readonly status: number
    readonly error: string | null
    readonly cost: number | null
    readonly seconds: number
    readonly first_token_seconds: number | null
  }[]
  readonly outcomes: readonly { readonly source: string; readonly score: number }[]
}

export interface Listed<Item> {
  readonly data: readonly Item[]
  readonly next: string | null
}

export interface Outline {
  readonly kind: string
  readonly role: string
  readonly settings: readonly { readonly name: string; readonly value: string }[]
  readonly parts: readonly Outline[]
}

export interface ArmShown {
  readonly id: string
  readonly model: string
  readonly reference: boolean
  readonly state: 'ready' | 'resting'
  readonly tier: string | null
  readonly effort: string | null
  readonly style: string | null
  readonly mode: string | null
  readonly place: string | null
  readonly context_tokens: number | null
  readonly priced: boolean
  readonly strategy: {
    readonly hash: string
    readonly words: string
    readonly outline: Outline
    readonly models: readonly string[]
    readonly most_calls: number
  }
  readonly believed: { readonly quality: number; readonly counts_as_outcomes: number }
  readonly learned_outcomes: {
    readonly trained: number
    readonly by_organisation: readonly { readonly organisation: string | null; readonly outcomes: number }[]
  }
}

export interface Routing {
  readonly reference: string | null
  readonly objective: string
  readonly objectives: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>
  readonly instead_of: readonly string[]
  readonly policy: { readonly kind: string }
  readonly predictor: { readonly kind: string; readonly trained_beforehand: boolean; readonly kept: boolean }
  readonly encoder: string
  readonly exploration: { readonly share: number; readonly usd_per_day: number }
  readonly learning: {
    readonly feedback: boolean
    readonly verifiers: boolean
    readonly agreement: boolean
    readonly max_influence: number
    readonly shared: boolean
  }
  readonly sticky: boolean
  readonly problems: readonly string[]
  readonly arms: readonly ArmShown[]
}

export interface Limit {
  readonly level: string
  readonly id: string
  readonly unit: string
  readonly per: string
  readonly hard: boolean
  readonly limit: number
  readonly used: number
  readonly held: number
  readonly left: number
  readonly regime: 'ample' | 'tight' | 'last_call' | null
  readonly resets_at: string | null
}

export interface Subject {
  readonly id: string
  readonly name: string
  readonly kind: string
  readonly source: string
  readonly organisation: string | null
  readonly team: string | null
  readonly user: string | null
  readonly status: string
  readonly expires: string | null
  readonly models: readonly string[] | null
  readonly rates: {
    readonly requests_per_minute: number | null
    readonly tokens_per_minute: number | null
    readonly parallel: number | null
  }
  readonly budgets: readonly Limit[]
}

export interface DeploymentShown {
  readonly id: string
  readonly provider: string
  readonly model: string
  readonly names: readonly string[]
  readonly state: 'ready' | 'resting' | 'probe'
  readonly rest_seconds: number
  readonly limited: boolean
  readonly in_flight: number
  readonly context_tokens: number | null
  readonly usd_per_million: { readonly input: number | null; readonly cache_read: number | null; readonly output: number | null } | null
}

export interface Deployments {
  readonly data: readonly DeploymentShown[]
  readonly others: number
}

export interface ProofStatus {
  readonly holdout: number
  readonly margin: number
  readonly guardrail: 'on' | 'off'
  readonly scopes: readonly {
    readonly scope: string
    readonly rolled_back: { readonly at: number; readonly evidence: string; readonly why: string } | null
    readonly evidence: readonly {
      readonly evidence: string
      readonly verdict: string
      readonly difference: Band & { readonly n: number }
      readonly trials: number
      readonly held_out: number | null
    }[]
  }[]
}
