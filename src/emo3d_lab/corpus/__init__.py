"""The Emo3D score of many files: in blocks, by processes, a cluster or accelerate's launcher."""

from emo3d_lab.corpus.launched import score_launched
from emo3d_lab.corpus.rows import ParquetRows
from emo3d_lab.corpus.score import CorpusOptions, score_corpus

__all__ = ["CorpusOptions", "ParquetRows", "score_corpus", "score_launched"]
