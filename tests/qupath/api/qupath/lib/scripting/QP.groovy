package qupath.lib.scripting

import groovy.json.JsonOutput
import java.util.zip.GZIPOutputStream
import qupath.lib.objects.PathObject

/** The functions that QuPath gives to every script, on one image. */
class QP {

    static ImageData image = null

    static ImageData getCurrentImageData() { image }

    static void fireHierarchyUpdate() { assert image != null }

    static void exportObjectsToGeoJson(Collection<PathObject> objects, String path, String option, String... more) {
        def options = [option, *more]
        assert options.every { it in ['PRETTY_JSON', 'EXCLUDE_MEASUREMENTS', 'FEATURE_COLLECTION'] }
        def features = objects.collect { it.toFeature(!('EXCLUDE_MEASUREMENTS' in options)) }
        def written = 'FEATURE_COLLECTION' in options ? [type: 'FeatureCollection', features: features] : features
        def bytes = JsonOutput.toJson(written).getBytes('UTF-8')
        def stream = new FileOutputStream(path)
        (path.toLowerCase().endsWith('.gz') ? new GZIPOutputStream(stream) : stream).withCloseable { it.write(bytes) }
    }
}

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
