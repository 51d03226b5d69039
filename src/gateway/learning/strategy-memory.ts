import type { Clock } from '../../quantities/index.js'
import type { LearningAlongside } from '../../routing/index.js'
import { declaredLibrary, type Answer, type BuildContext, type LibraryUse, type StrategyLibrary } from '../../strategies/index.js'
import { createUnderstanding, type Features, type Understanding } from '../../understanding/index.js'
import { PoisonBound } from './poison-bound.js'
import { settled, type SettledLesson } from './settled-lessons.js'
import { TenantLearning, type SavedLearning, type Word } from './tenant-learning.js'

/** A library with a guide, of which so much went wrong that the guide may be asked. */
export interface GuideWanted {
  readonly use: LibraryUse
  readonly library: StrategyLibrary
  readonly cluster: string
}

export interface StrategyMemoryOptions {
  readonly understanding: Understanding
  readonly clock: Pick<Clock, 'now'>
  /** Told when a guide may be asked. */
  onGuideWanted?(wanted: GuideWanted): void
}

/** Tenants that are remembered; of further ones the one not used for longest is forgotten. */
const MOST_TENANTS = 1_000
/** States to go back to, and words that are then learned again, of a tenant. */
const MOST_SNAPSHOTS = 4
const MOST_RECENT = 512
/** Who a failure of a provider is put down to: all of them together are one source. */
const FAILURES = 'failures'

interface Tenant {
  learning: TenantLearning
  /** Made when they are asked for, and anew where the learning is: strategies hold on to theirs. */
  contexts: { exploring?: BuildContext; settled?: BuildContext }
  snapshots: { readonly learned: number; readonly words: number; readonly saved: SavedLearning }[]
  recent: { readonly number: number; readonly lessons: readonly SettledLesson[]; readonly word: Word }[]
  words: number
  readonly guided: Map<string, LibraryUse>
}

/** What strategies have learned, by tenant: tenants never meet. Outlives a reload of the configuration. */
export class StrategyMemory {
  private readonly tenants = new Map<string, Tenant>()
  /** Without an encoder, so that a strategy knows the kind of a question at once. */
  private readonly plain = createUnderstanding()
  private bound: PoisonBound
  private changed = false

  constructor(private readonly options: StrategyMemoryOptions) {
    this.bound = new PoisonBound({ clock: options.clock, cap: 0.2, trusted: () => false })
  }

  /** Takes the settings of a configuration into use. */
  configure(settings: { readonly cap: number; trusted(source: string): boolean }): void {
    this.bound = new PoisonBound({ clock: this.options.clock, ...settings })
  }

  /** Whether something was learned since the last `state`. */
  get dirty(): boolean {
    return this.changed
  }

  /** What `state` gave could not be kept. */
  unsaved(): void {
    this.changed = true
  }

  /** What this tenant's strategies are lent. `explore`: whether they may try something out. The same object until what was learned is taken back. */
  contextOf(tenant: string, explore = true): BuildContext {
    const one = this.tenant(tenant)
    return (one.contexts[explore ? 'exploring' : 'settled'] ??= this.contextFor(one, explore))
  }

  /** What a request's words say of it, at once. */
  featuresNow(request: Parameters<Understanding['of']>[0]): Features {
    const features = this.plain.of(request)
    if (features instanceof Promise) throw new TypeError('an understanding without an encoder doesn’t wait')
    return features
  }

  /** The auctions of a tenant. */
  auctionsOf(tenant: string): TenantLearning['auctions'] {
    return this.tenant(tenant).learning.auctions
  }

  /** What a word on this answer can teach later. Counts what runs of libraries took at once; `weak`: and, as weak evidence of this source, what they found of their own answers. */
  answered(tenant: string, answer: Pick<Answer, 'lessons' | 'completion'>, source: string, weak: boolean): readonly SettledLesson[] {
    if (answer.lessons === undefined) return []
    const lessons = settled(answer)
    for (const lesson of lessons) {
      if (lesson.kind === 'auction') this.changed = true
      if (lesson.kind !== 'library') continue
      const { library, cluster, hash, usd, found } = lesson
      const granted =
        weak && found !== undefined ? this.bound.grant(source, 'library', [`${library}\0${hash}`, `${library}\0${hash}\0${cluster}`], 1) : 0
      this.tenant(tenant)
        .learning.library(library)
        .record({ cluster, hash, usd, ...(granted > 0 ? { quality: found, weak: true, weight: granted } : {}) })
      this.changed = true
    }
    return lessons
  }

  /** Learns from a word on an answer. */
  told(tenant: string, lessons: readonly SettledLesson[], word: Word): void {
    if (lessons.length === 0 || !(word.weight > 0)) return
    const one = this.tenant(tenant)
    one.learning.learn(lessons, word, this.bound)
    one.words++
    one.recent.push({ number: one.words, lessons, word })
    if (one.recent.length > MOST_RECENT) one.recent.shift()
    this.changed = true
    for (const lesson of lessons) if (lesson.kind === 'library') this.wantGuide(one, lesson.library, lesson.cluster)
  }

  private wantGuide(one: Tenant, name: string, cluster: string): void {
    const use = one.guided.get(name)
    if (use?.guide === undefined) return
    const library = one.learning.library(name)
    if (library.failures >= use.guide.everyFailures) this.options.onGuideWanted?.({ use, library, cluster })
  }

  /** Goes back where the tenant's predictor does, and learns again what was said since by those in good standing. */
  alongside(tenant: string): LearningAlongside {
    return {
      snapshot: (learned) => {
        const one = this.tenant(tenant)
        // A predictor that begins anew begins a new count.
        if (learned === 0) one.snapshots = []
        one.snapshots = [...one.snapshots, { learned, words: one.words, saved: one.learning.save(true) }].slice(-MOST_SNAPSHOTS)
      },
      goBack: (learned, quarantined) => {
        const one = this.tenant(tenant)
        const to = one.snapshots.findLast((snapshot) => snapshot.learned <= learned)
        if (to === undefined) return
        one.learning = new TenantLearning(to.saved, one.learning.effort)
        one.contexts = {}
        one.snapshots = one.snapshots.filter((snapshot) => snapshot.learned <= learned)
        one.recent = one.recent.filter(({ number, word }) => number <= to.words || !quarantined(word.source))
        for (const { number, lessons, word } of one.recent) if (number > to.words) one.learning.learn(lessons, word, this.bound)
        this.changed = true
      },
    }
  }

  /** All that was learned, to be kept. Plans of auctions are content, and are not. */
  state(): readonly (readonly [tenant: string, SavedLearning])[] {
    this.changed = false
    return [...this.tenants].map(([tenant, { learning }]) => [tenant, learning.save()])
  }

  /** Takes in what was kept of a tenant. Throws for what no `state` gave. */
  load(tenant: string, saved: unknown): void {
    this.tenants.set(tenant, begun(new TenantLearning(TenantLearning.read(saved))))
  }

  private tenant(name: string): Tenant {
    let one = this.tenants.get(name)
    if (one === undefined) {
      this.tenants.set(name, (one = begun(new TenantLearning())))
      const oldest = this.tenants.size > MOST_TENANTS ? this.tenants.keys().next().value : undefined
      if (oldest !== undefined) this.tenants.delete(oldest)
    } else if (this.tenants.size > 1) {
      // Put at the end again: the map's order is that of use.
      this.tenants.delete(name)
      this.tenants.set(name, one)
    }
    return one
  }

  private contextFor(one: Tenant, explore: boolean): BuildContext {
    const { learning } = one
    const { calibration, shapes, saturation, thinkGate, effort } = learning
    const { understanding } = this.options
    const context: BuildContext = {
      calibration,
      shapes,
      saturation,
      thinkGate,
      effort,
      explore,
      featuresOf: (request, signal) => understanding.of(request, signal),
      difficultyOf: (request) => this.featuresNow(request).difficulty,
      categoryOf: (request) => this.featuresNow(request).category?.name,
      library: (use) => {
        learning.library(use.name).addSeeds(use.seeds)
        if (use.guide !== undefined) one.guided.set(use.name, use)
        return declaredLibrary(use, {
          library: () => learning.library(use.name),
          cluster: (request) => this.featuresNow(request).category?.name ?? 'other',
          explore,
          context,
          failed: (hash, cluster, code) => {
            const granted = this.bound.grant(FAILURES, 'library', [`${use.name}\0${hash}`, `${use.name}\0${hash}\0${cluster}`], 1)
            if (granted > 0) learning.library(use.name).record({ cluster, hash, quality: 0, weak: true, weight: granted })
            learning.library(use.name).note(hash, `failed with ${code}`)
            this.changed = true
          },
        })
      },
    }
    return context
  }
}

function begun(learning: TenantLearning): Tenant {
  return { learning, contexts: {}, snapshots: [], recent: [], words: 0, guided: new Map() }
}
