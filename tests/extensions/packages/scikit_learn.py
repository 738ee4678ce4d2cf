# SPDX-License-Identifier: MIT
import numpy as np
from sklearn import cluster, datasets, decomposition, ensemble, linear_model, metrics, neighbors, svm, tree
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def smoke():
    data, target = datasets.make_classification(200, 8, random_state=1)
    blobs, _ = datasets.make_blobs(100, centers=3, random_state=2)
    models = {
        "logistic": make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
        "forest": ensemble.RandomForestClassifier(10, random_state=3, n_jobs=2),
        "boosted": ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=4),
        "vectors": svm.SVC(),
        "neighbours": neighbors.KNeighborsClassifier(),
        "tree": tree.DecisionTreeClassifier(random_state=5),
    }
    try:
        linear_model.Ridge().predict(data)
    except NotFittedError as error:
        refused = type(error).__name__
    text = TfidfVectorizer().fit_transform(["one two", "two three"])
    return {name: round(float(model.fit(data, target).score(data, target)), 6) for name, model in models.items()} | {
        "clusters": sorted(np.bincount(cluster.KMeans(3, random_state=6, n_init=1).fit_predict(blobs)).tolist()),
        "dense": int(cluster.DBSCAN(2).fit_predict(blobs).max()),
        "variance": decomposition.PCA(2).fit(data).explained_variance_ratio_.round(6).tolist(),
        "text": text.toarray().round(6).tolist(),
        "auc": round(float(metrics.roc_auc_score(target, models["vectors"].decision_function(data))), 6),
        "distances": round(float(metrics.pairwise_distances(data[:5]).sum()), 6),
        "refused": refused,
    }
