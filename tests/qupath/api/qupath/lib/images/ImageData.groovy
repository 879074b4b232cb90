package qupath.lib.images

import qupath.lib.objects.PathObject

/** An image with its objects; its pixels play no part. */
class ImageData {

    final Hierarchy hierarchy = new Hierarchy()
    final Server server

    ImageData(double mpp) { server = new Server(new PixelCalibration(mpp)) }
}

class Server {

    final PixelCalibration pixelCalibration

    Server(PixelCalibration calibration) { pixelCalibration = calibration }
}

class PixelCalibration {

    final double averagedPixelSizeMicrons

    PixelCalibration(double mpp) { averagedPixelSizeMicrons = mpp }
}

class Hierarchy {

    final SelectionModel selectionModel = new SelectionModel()
    private final List<PathObject> objects = []

    Collection<PathObject> getAnnotationObjects() { objects.findAll { it.isAnnotation() } }

    Collection<PathObject> getDetectionObjects() { objects.findAll { it.isDetection() } }

    void addObjects(Collection<PathObject> given) { objects.addAll(given) }

    void removeObjects(Collection<PathObject> given, boolean keepChildren) { objects.removeAll(given as Set) }
}

class SelectionModel {

    Collection<PathObject> selected = []

    void setSelectedObjects(Collection<PathObject> given, PathObject primary) { selected = given }
}
