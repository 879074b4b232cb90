package qupath.lib.scripting

import groovy.json.JsonOutput
import java.util.zip.GZIPOutputStream
import qupath.lib.images.ImageData
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
