import { strategiesIn } from './suite.js'
import { recorded } from './worlds.js'

strategiesIn(recorded)
