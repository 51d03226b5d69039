export { askGuide, type GuideReport, type GuideSettings } from './guide.js'
export { dominates, type Belief, type ClusterStats } from './experience.js'
export { fromLibrary, type FromLibraryOptions } from './from-library.js'
export {
  GUIDE_SHARE,
  MOST_ENTRIES,
  StrategyLibrary,
  type Choice,
  type DrawnChoice,
  type LibraryEntry,
  type LibraryOutcome,
} from './strategy-library.js'
export { declaredLibrary, type LibraryParts } from './declared-library.js'
