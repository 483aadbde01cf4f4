"""The names of the elements of PMML 3.2 to 4.4.

Law: an element of another name is refused before anything is made of a file; vendors put theirs into an `Extension`.

Definition: the XML schemas of the Data Mining Group, dmg.org.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ELEMENTS"]

_NAMES: Final = """
    AbsoluteExponentialKernel Aggregate Alternate Annotation AnomalyDetectionModel Anova AnovaRow AntecedentSequence
    AnyDistribution Application Apply AR ARDSquaredExponentialKernel ARIMA ARMAPart Array AssociationModel
    AssociationRule Attribute BaseCumHazardTables Baseline BaselineCell BaselineModel BaselineStratum
    BayesianNetworkModel BayesianNetworkNodes BayesInput BayesInputs BayesOutput BinarySimilarity binarySimilarity
    BlockIndicator BoundaryValueMeans BoundaryValues CategoricalPredictor Categories Category CenterFields
    Characteristic Characteristics chebychev ChildParent cityBlock ClassLabels Cluster ClusteringField ClusteringModel
    ClusteringModelQuality Coefficient Coefficients ComparisonMeasure Comparisons ComplexPartialScore CompoundPredicate
    CompoundRule Con ConfusionMatrix ConsequentSequence Constant Constraints ContinuousConditionalProbability
    ContinuousDistribution ContinuousNode ContStats CorrelationFields CorrelationMethods Correlations CorrelationValues
    Counts CountTable Covariances CovariateList DataDictionary DataField Decision Decisions DecisionTree DefineFunction
    Delimiter Denominator DerivedField DiscreteConditionalProbability DiscreteNode Discretize DiscretizeBin DiscrStats
    DocumentTermMatrix DynamicRegressor euclidean EventValues ExponentialSmoothing Extension FactorList False
    FieldColumnPair FieldRef FieldValue FieldValueCount FinalNoise FinalNu FinalOmega FinalPredictedNoise
    FinalStateVector FinalTheta GARCH GARCHPart GaussianDistribution GaussianProcessModel GeneralizedExponentialKernel
    GeneralRegressionModel Header HVector Indices InlineTable InstanceField InstanceFields INT-Entries INT-SparseArray
    InterceptVector Interval Item ItemRef Itemset jaccard KalmanState KNNInput KNNInputs KohonenMap Lag Lambda Level
    LiftData LiftGraph LinearKernel LinearKernelType LinearNorm LocalTransformations LognormalDistribution
    LognormalDistributionForBN Lower MA MACoefficients MapValues MatCell Matrix MaximumLikelihoodStat Mean
    MeanClusterDistances MeasurementMatrix MiningBuildTask MiningField MiningModel MiningSchema minkowski
    MissingValueWeights ModelExplanation ModelLiftGraph ModelStats ModelVerification MultivariateStat MultivariateStats
    NaiveBayesModel NearestNeighborModel NeuralInput NeuralInputs NeuralLayer NeuralNetwork NeuralOutput NeuralOutputs
    Neuron Node NonseasonalComponent NonseasonalFactor NormalDistribution NormalDistributionForBN NormalizedCountTable
    NormContinuous NormDiscrete Numerator NumericInfo NumericPredictor ObservationVarianceMatrix OptimumLiftGraph
    OutlierEffect Output OutputField PairCounts Parameter ParameterField ParameterList ParamMatrix ParentValue Partition
    PartitionFieldStats PastVariances PCell PCovCell PCovMatrix PMML PoissonDistribution PolynomialKernel
    PolynomialKernelType PPCell PPMatrix PredictedStateCovarianceMatrix PredictiveModelQuality Predictor PredictorTerm
    PsiVector Quantile RadialBasisKernel RadialBasisKernelType RandomLiftGraph REAL-Entries REAL-SparseArray Regression
    RegressionModel RegressionTable RegressorValues Residuals ResidualSquareCoefficients ResultField ROC ROCGraph row
    RuleSelectionMethod RuleSet RuleSetModel Scorecard ScoreDistribution SeasonalComponent SeasonalFactor
    Seasonality_ExpoSmooth SeasonalityExpoSmooth SeasonalTrendDecomposition Segment Segmentation
    SelectedStateCovarianceMatrix Sequence SequenceModel SequenceReference SequenceRule SetPredicate SetReference
    SigmoidKernel SigmoidKernelType simpleMatching SimplePredicate SimpleRule SimpleSetPredicate SpectralAnalysis
    squaredEuclidean StateSpaceModel StateVector SupportVector SupportVectorMachine SupportVectorMachineModel
    SupportVectors TableLocator tanimoto Target Targets TargetValue TargetValueCount TargetValueCounts TargetValueStat
    TargetValueStats Taxonomy TestDistributions TextCorpus TextDictionary TextDocument TextIndex TextIndexNormalization
    TextModel TextModelNormalization TextModelSimilarity TextModelSimiliarity Theta ThetaRecursionState Time TimeAnchor
    TimeCycle TimeException TimeSeries TimeSeriesModel Timestamp TimeValue TrainingInstances TransferFunctionValues
    TransformationDictionary TransitionMatrix TreeModel Trend_ExpoSmooth TrendCoefficients TrendExpoSmooth
    TriangularDistribution TriangularDistributionForBN True UniformDistribution UniformDistributionForBN UnivariateStats
    Upper Value ValueProbability VariableWeight Variance VarianceCoefficients VectorDictionary VectorFields
    VectorInstance VerificationField VerificationFields X-Error XCoordinates YCoordinates
"""
ELEMENTS: Final = frozenset(_NAMES.split())
