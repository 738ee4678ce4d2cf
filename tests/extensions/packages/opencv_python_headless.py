# SPDX-License-Identifier: MIT
import hashlib

import cv2
import numpy as np


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def smoke():
    image = np.zeros((120, 160, 3), np.uint8)
    cv2.circle(image, (60, 60), 30, (0, 128, 255), -1)
    cv2.rectangle(image, (90, 20), (140, 80), (255, 0, 0), 3)
    cv2.putText(image, "text", (10, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    contours, _ = cv2.findContours(
        cv2.threshold(grey, 20, 255, cv2.THRESH_BINARY)[1], cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
    )
    encoded = cv2.imencode(".png", image)[1]
    turn = cv2.getRotationMatrix2D((80, 60), 30, 1)
    points, _ = cv2.ORB_create(50).detectAndCompute(grey, None)
    storage = cv2.FileStorage("", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY | cv2.FILE_STORAGE_FORMAT_JSON)
    storage.write("number", 7)
    try:
        cv2.cvtColor(grey, cv2.COLOR_BGR2GRAY)
    except cv2.error as error:
        refused = error.code
    return {
        "drawn": digest(image),
        "blurred": digest(cv2.GaussianBlur(image, (5, 5), 0)),
        "edges": int(cv2.Canny(grey, 50, 150).astype(bool).sum()),
        "contours": sorted(cv2.contourArea(each) for each in contours),
        "turned": cv2.warpAffine(image, turn, (160, 120)).shape,
        "decoded": digest(cv2.imdecode(encoded, cv2.IMREAD_COLOR)) == digest(image),
        "matched": cv2.minMaxLoc(cv2.matchTemplate(grey, grey[40:80, 40:80], cv2.TM_SQDIFF))[2],
        "points": len(points),
        "moments": cv2.moments(grey)["m00"],
        "transformed": round(float(np.abs(cv2.dft(np.float32(grey))).max())),
        "solved": cv2.solve(np.array([[2.0, 1], [1, 3]]), np.array([[3.0], [5]]))[1].round(9).tolist(),
        "stored": '"number": 7' in storage.releaseAndGetString(),
        "threads": cv2.getNumThreads() > 0,
        "refused": refused,
    }
